"""Writes that wait on disk while MLflow is away.

A spool is a folder of one run and one process: `origin.json` says which run of which store it is for, `journal` has a
line for every write in order, `files/` what they speak of, and `delivered` how many bytes of the journal MLflow has.
What MLflow takes at no attempt goes from the journal to `refused`, and stays there until it is to be tried again, or
MLflow has taken something newer in its place. Whoever writes or delivers holds the lock beside the folder.
"""

from __future__ import annotations

import os
import shlex
import shutil
import threading
import time
from collections.abc import Iterable, Iterator, Set
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout
from lightning_utilities.core.rank_zero import rank_zero_warn

from ae_lightning.file_names import DEFAULT_SPOOL
from ae_lightning.tracking.delivery import NotDeliveredError, UndeliverableError, deliver_or_give_up
from ae_lightning.tracking.mlflow_writes import Target, Write, line_of, merged, write_in
from ae_lightning.tracking.origin import Origin, origin_text
from ae_lightning.whole_files import replacing, sync

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

ORIGIN_FILE = "origin.json"


class SpoolInUseError(NotDeliveredError):
    """Another process writes or delivers it."""


class OtherVersionError(NotDeliveredError):
    """It was written by another version of this package, and this one does not understand it."""


class Spool:
    """Writes of a run that wait on disk, in order.

    Nothing is on disk before the first of them. One thread delivers; any may append.

    Args:
        folder: Its folder.
        origin: Where its writes belong.

    Attributes:
        files: Folder with the staged folders, each with the files of one write.
    """

    def __init__(self, folder: Path, origin: Origin) -> None:
        self.folder = folder
        self.origin = origin
        self.files = folder / "files"
        self._journal, self._delivered, self._refused = (folder / name for name in ("journal", "delivered", "refused"))
        self._lock = FileLock(f"{folder}.lock", timeout=0, thread_local=False)
        self._writing = threading.RLock()
        self._num_staged = 0

    @classmethod
    def new(cls, root: Path, origin: Origin) -> Spool:
        """Return a spool that no other process has, in a folder of all spools."""
        return cls(root.resolve() / f"{origin.run_id}.{time.time_ns()}.{os.getpid()}", origin)

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return _size(self._journal) <= self._num_delivered()

    @property
    def num_waiting(self) -> int:
        """How many records wait."""
        return 0 if self.is_empty else sum(1 for _ in self._lines())

    @property
    def num_refused(self) -> int:
        """How many records MLflow took at no attempt."""
        return self._refused.read_bytes().count(b"\n") if self._refused.exists() else 0

    @property
    def hints(self) -> list[str]:
        """What MLflow does not have, where that is, and what to do about it."""
        command, said = sync_command(self.folder.parent), []
        if not self.is_empty:
            said.append(f"MLflow does not have everything: the rest waits in {self.folder}; `{command}` delivers it")
        if self.num_refused:
            said.append(
                f"MLflow took {self.num_refused} records at no attempt: they are kept in {self.folder}; "
                f"`{command} --refused` tries them again"
            )
        return said

    def hold(self, patience: float = 0.0) -> Spool:
        """Keep all other processes out, until it is closed.

        Args:
            patience: Seconds to wait for one that is in.

        Raises:
            SpoolInUseError: If one stays in.
            OSError: If its folder cannot be made.
        """
        if not self._lock.is_locked:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._lock.acquire(timeout=patience)
            except Timeout as error:
                raise SpoolInUseError("another process writes or delivers it") from error
        return self

    def stage(self) -> Path:
        """Make a folder for the files of a write.

        Raises:
            SpoolInUseError: If another process has it.
            OSError: If the disk does not take it.
        """
        with self._writing:
            self._make()
            self._num_staged += 1
            folder = self.files / f"{self._num_staged:06}"
            folder.mkdir(parents=True)
        return folder

    def append(self, writes: Iterable[Write]) -> None:
        """Put writes behind those that wait, and sync them to the disk.

        Raises:
            SpoolInUseError: If another process has it.
            OSError: If the disk does not take them; what was there before stays whole.
        """
        with self._writing:
            self._make()
            joined = list(merged(writes))
            for folder in (self.files / write.staged for write in joined if write.staged):
                for path in folder.rglob("*"):
                    if path.is_file():
                        sync(path)
            _append(self._journal, joined)

    def deliver(self, client: MlflowClient) -> Iterator[bool]:
        """Deliver what waits, record by record, and forget it.

        A delivery that is cut short is done again the next time. A damaged record is warned of and left out, one that
        the store takes at no attempt is warned of and set aside.

        Yields:
            Whether MLflow has the record.

        Raises:
            StoreAwayError: If the store does not take one; it and those behind it stay.
            OtherVersionError: If another version wrote what this one does not understand; likewise.
        """
        while line := self._first_line():
            try:
                write = write_in(line)
            except TypeError as error:
                raise OtherVersionError(f"written by ae_lightning {self.origin.version}, which delivers it") from error
            if write is None:
                rank_zero_warn(f"{self._journal}: a record cannot be read, and is left out")
            is_taken = write is not None and self._is_taken(write, client)
            _write(self._delivered, str(self._num_delivered() + len(line)).encode())
            yield is_taken

    def _is_taken(self, write: Write, client: MlflowClient) -> bool:
        # Its files are removed once it is delivered; then only the note of that was lost.
        if not write.staged or (self.files / write.staged).is_dir():
            try:
                deliver_or_give_up(Target(client, self.origin.run_id, self.files), write)
            except UndeliverableError as error:
                _append(self._refused, write.parts())
                rank_zero_warn(
                    f"MLflow takes everything but {write}, which is kept in {self._refused} until "
                    f"`{sync_command(self.folder.parent)} --refused` tries it again: {error}"
                )
                return False
        self.forget(write)
        return True

    def retry_refused(self) -> None:
        """Let what MLflow took at no attempt wait again, once it has what is newer.

        Raises:
            OSError: If the disk does not take it.
        """
        if self._refused.exists() and self.is_empty:
            # In this order a process that is killed in between leaves nothing that is read otherwise.
            self._journal.unlink(missing_ok=True)
            self._delivered.unlink(missing_ok=True)
            self._refused.replace(self._journal)

    def forget(self, write: Write) -> None:
        """Remove what nobody needs once MLflow has a write: its files, and what it took at no attempt and is older."""
        for path in self.folder.parent.glob(f"{self.origin.run_id}.*/{self._refused.name}") if write.places else ():
            if path == self._refused:
                self._leave_out(write.places)
            elif path.parent.name < self.folder.name:
                # Whoever has it, or has just removed it, delivers or has delivered it.
                older = Spool(path.parent, self.origin)
                with suppress(SpoolInUseError, FileNotFoundError), closing(older.hold()):
                    older._leave_out(write.places)
        if write.staged:
            shutil.rmtree(self.files / write.staged, ignore_errors=True)

    def _leave_out(self, places: Set[str]) -> None:
        """Leave out of what was refused what sets nothing but these places."""
        kept = b""
        for line in self._refused.read_bytes().splitlines(keepends=True):
            # Another version knows what it wrote.
            with suppress(TypeError):
                if (write := write_in(line)) and write.places and write.places <= places:
                    continue
            kept += line
        _write(self._refused, kept)

    def close(self, keeps_files: bool = False) -> None:
        """Let other processes in; remove what holds nothing that waits.

        Args:
            keeps_files: Leave the files of writes that were never written down.
        """
        with self._writing:
            if not self._lock.is_locked:
                return
            try:
                if self.is_empty:
                    self._remove(keeps_files)
            finally:
                self._lock.release()
            if not (self.folder / ORIGIN_FILE).exists():
                Path(self._lock.lock_file).unlink(missing_ok=True)

    def _remove(self, keeps_files: bool) -> None:
        """Remove the folder, but for what was refused or lost; without its origin it is no spool."""
        if not (keeps_files or self.num_refused):
            shutil.rmtree(self.folder, ignore_errors=True)
            return
        for path in (self._journal, self._delivered, *(() if self.num_refused else (self.folder / ORIGIN_FILE,))):
            path.unlink(missing_ok=True)

    def _make(self) -> None:
        self.hold()
        if not (self.folder / ORIGIN_FILE).exists():
            # The origin may hold a password.
            self.folder.mkdir(mode=0o700, exist_ok=True)
            _write(self.folder / ORIGIN_FILE, origin_text(self.origin, self.folder).encode())

    def _num_delivered(self) -> int:
        try:
            return max(0, int(self._delivered.read_bytes())) if self._delivered.exists() else 0
        except ValueError:
            # To deliver all of it again changes nothing.
            return 0

    def _lines(self) -> Iterator[bytes]:
        with self._journal.open("rb") as journal:
            journal.seek(self._num_delivered())
            yield from journal

    def _first_line(self) -> bytes:
        with self._writing:
            # What is appended while it is read may be there in part.
            return b"" if self.is_empty else next(self._lines())


def sync_command(root: Path) -> str:
    """Return the command that delivers what waits in a folder of spools, once their processes have ended."""
    options = "" if root.resolve() == Path(DEFAULT_SPOOL).resolve() else f" --spool {shlex.quote(str(root))}"
    return f"python -m ae_lightning sync{options}"


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _append(path: Path, writes: Iterable[Write]) -> None:
    """Put lines at the end of a file, or none where the disk does not take them."""
    before = _size(path)
    try:
        with path.open("ab") as file:
            file.writelines(map(line_of, writes))
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        os.truncate(path, before)
        raise


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(content)
