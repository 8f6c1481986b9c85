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
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout
from lightning_utilities.core.rank_zero import rank_zero_warn

from ae_lightning.file_names import DEFAULT_SPOOL
from ae_lightning.tracking.delivery import OtherVersionError, UndeliverableError, deliver_or_give_up
from ae_lightning.tracking.journal import append, line_of, write_in
from ae_lightning.tracking.mlflow_write import MLflowWrite, Target
from ae_lightning.tracking.mlflow_writes import merged
from ae_lightning.tracking.origin import Origin, origin_text
from ae_lightning.whole_files import replacing

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

ORIGIN_FILE = "origin.json"
_JOURNAL, _DELIVERED, _FILES, _REFUSED = "journal", "delivered", "files", "refused"


class SpoolInUseError(Exception):
    """Another process writes or delivers it."""


@dataclass(frozen=True)
class Record:
    """Where a line of the journal begins and ends, in bytes."""

    start: int
    end: int


class Spool:
    """Writes of a run that wait on disk, in order.

    Nothing is on disk before the first of them. One thread delivers; any may append.

    Args:
        folder: Its folder.
        origin: Where its writes belong.
    """

    def __init__(self, folder: Path, origin: Origin) -> None:
        self.folder = folder
        self.origin = origin
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
        return self._size() <= self._num_delivered()

    @property
    def is_held(self) -> bool:
        """Whether this process has it."""
        return bool(self._lock.is_locked)

    @property
    def files(self) -> Path:
        """Where the files are that writes speak of."""
        return self.folder / _FILES

    @property
    def num_refused(self) -> int:
        """How many writes MLflow took at no attempt."""
        path = self.folder / _REFUSED
        return path.read_bytes().count(b"\n") if path.exists() else 0

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

    def hold(self, patience: float = 0.0) -> None:
        """Keep all other processes out.

        Args:
            patience: Seconds to wait for one that is in.

        Raises:
            SpoolInUseError: If one stays in.
            OSError: If its folder cannot be made.
        """
        if self.is_held:
            return
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=patience)
        except Timeout as error:
            raise SpoolInUseError("another process writes or delivers it") from error

    def stage(self) -> str:
        """Make a folder for the files of a write, and return its name.

        Raises:
            OSError: If the disk does not take it.
        """
        with self._writing:
            self._make()
            self._num_staged += 1
            name = f"{self._num_staged:06}"
            (self.files / name).mkdir()
        return name

    def append(self, writes: Iterable[MLflowWrite]) -> None:
        """Put writes behind those that wait, and sync them to the disk.

        Raises:
            OSError: If the disk does not take them; what was there before stays whole.
        """
        with self._writing:
            self._make()
            joined = list(merged(writes))
            for write in joined:
                if write.staged:
                    _sync_files(self.files / write.staged)
            append(self.folder / _JOURNAL, (line_of(write) for write in joined))

    def waiting(self) -> list[Record]:
        """Find the records that wait, in order."""
        position = self._num_delivered()
        with self._writing:
            # What is appended while this is read may be there in part.
            size = self._size()
        if position >= size:
            return []
        records = []
        with (self.folder / _JOURNAL).open("rb") as journal:
            journal.seek(position)
            while position < size:
                length = len(journal.readline())
                records.append(Record(position, position + length))
                position += length
        return records

    def deliver(self, record: Record, client: MlflowClient) -> bool:
        """Deliver the first record that waits, and forget it.

        A delivery that is cut short is done again the next time. A damaged record is warned of and left out, one that
        the store takes at no attempt is warned of and set aside.

        Returns:
            Whether MLflow has it.

        Raises:
            StoreAwayError: If the store does not take it; it and those behind it stay.
            OtherVersionError: If another version wrote what this one does not understand; likewise.
        """
        write = self._read(record)
        if write is None:
            rank_zero_warn(f"{self.folder / _JOURNAL}: a record cannot be read, and is left out")
            is_taken = False
        else:
            is_taken = self._is_taken(write, client)
        if write is not None and is_taken:
            self._forget_older(write)
        _write(self.folder / _DELIVERED, str(record.end).encode())
        if write is not None and is_taken:
            self._remove_files(write)
        return is_taken

    def _is_taken(self, write: MLflowWrite, client: MlflowClient) -> bool:
        if write.staged and not (self.files / write.staged).is_dir():
            # Its files are removed once it is delivered; only the note of that was lost.
            return True
        try:
            deliver_or_give_up(Target(client, self.origin.run_id, self.files), write)
        except UndeliverableError as error:
            path = self.folder / _REFUSED
            append(path, [line_of(write)])
            rank_zero_warn(
                f"MLflow takes everything but {write}, which is kept in {path} until "
                f"`{sync_command(self.folder.parent)} --refused` tries it again: {error}"
            )
            return False
        return True

    def deliver_all(self, client: MlflowClient) -> int:
        """Deliver what waits, and count what MLflow has taken of it.

        Raises:
            StoreAwayError: If the store does not take one; it and those behind it stay.
            OtherVersionError: If another version wrote what this one does not understand; likewise.
        """
        return sum(self.deliver(record, client) for record in self.waiting())

    def retry_refused(self) -> None:
        """Let what MLflow took at no attempt wait again. What waits already is newer, and is to be delivered before.

        Raises:
            OSError: If the disk does not take it.
        """
        path = self.folder / _REFUSED
        if path.exists():
            append(self.folder / _JOURNAL, [path.read_bytes()])
            path.unlink()

    def forget(self, write: MLflowWrite) -> None:
        """Remove what nobody needs once MLflow has a write: its files, and older writes that would undo it."""
        self._forget_older(write)
        self._remove_files(write)

    def _remove_files(self, write: MLflowWrite) -> None:
        if write.staged:
            shutil.rmtree(self.files / write.staged, ignore_errors=True)

    def _forget_older(self, write: MLflowWrite) -> None:
        """Remove what a write has overtaken from what MLflow took at no attempt of the run, by whatever process."""
        places = write.places(self.files)
        if not places:
            return
        for path in self.folder.parent.glob(f"{self.origin.run_id}.*/{_REFUSED}"):
            if path.parent == self.folder:
                self._keep_refused(places)
            elif path.parent.name < self.folder.name:
                older = Spool(path.parent, self.origin)
                # Whoever has it delivers it.
                with suppress(SpoolInUseError), held(older):
                    older._keep_refused(places)

    def _keep_refused(self, without: Set[str]) -> None:
        """Keep of what was refused what sets none of these places."""
        path = self.folder / _REFUSED
        lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
        kept = [rest for line in lines if (rest := self._rest_of(line, without))]
        if kept == lines:
            return
        if kept:
            _write(path, b"".join(kept))
        else:
            path.unlink()

    def _rest_of(self, line: bytes, places: Set[str]) -> bytes:
        try:
            write = write_in(line)
        except (KeyError, TypeError):
            # Another version's, which knows what it says.
            return line
        if write is None:
            return line
        rest = write.without(places, self.files)
        if rest is None:
            self._remove_files(write)
        return b"" if rest is None else line_of(rest)

    def close(self, keeps_files: bool = False) -> None:
        """Let other processes in; remove what holds nothing that waits.

        Args:
            keeps_files: Leave the files of writes that were never written down.
        """
        with self._writing:
            if not self.is_held:
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
        is_refused = self.num_refused > 0
        if not (keeps_files or is_refused):
            shutil.rmtree(self.folder, ignore_errors=True)
            return
        for name in (_JOURNAL, _DELIVERED) if is_refused else (ORIGIN_FILE, _JOURNAL, _DELIVERED):
            (self.folder / name).unlink(missing_ok=True)

    def _make(self) -> None:
        if (self.folder / ORIGIN_FILE).exists() and self.is_held:
            return
        self.hold()
        # The origin may hold a password.
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self.files.mkdir(exist_ok=True)
        _write(self.folder / ORIGIN_FILE, origin_text(self.origin, self.folder).encode())

    def _size(self) -> int:
        path = self.folder / _JOURNAL
        return path.stat().st_size if path.exists() else 0

    def _num_delivered(self) -> int:
        path = self.folder / _DELIVERED
        try:
            return max(0, int(path.read_text(encoding="utf-8"))) if path.exists() else 0
        except ValueError:
            # To deliver all of it again changes nothing.
            return 0

    def _read(self, record: Record) -> MLflowWrite | None:
        with (self.folder / _JOURNAL).open("rb") as journal:
            journal.seek(record.start)
            line = journal.read(record.end - record.start)
        try:
            return write_in(line)
        except (KeyError, TypeError) as error:
            raise OtherVersionError(f"written by ae_lightning {self.origin.version}, which delivers it") from error


def sync_command(root: Path) -> str:
    """Return the command that delivers what waits in a folder of spools, once their processes have ended."""
    options = "" if root.resolve() == Path(DEFAULT_SPOOL).resolve() else f" --spool {shlex.quote(str(root))}"
    return f"python -m ae_lightning sync{options}"


@contextmanager
def held(spool: Spool, patience: float = 0.0) -> Iterator[Spool]:
    """Hold a spool for a while.

    Args:
        spool: What to hold.
        patience: Seconds to wait for another process that has it.

    Raises:
        SpoolInUseError: If that one keeps it.
    """
    spool.hold(patience)
    try:
        yield spool
    finally:
        spool.close()


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def _sync_files(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
