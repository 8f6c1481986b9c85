"""Writes that wait on disk while MLflow is away.

A spool is a folder of one run and one process: `origin.json` says which run of which store it is for, `journal` has a
line for every write in order, each behind its CRC, `files/` what they speak of, and `delivered` how many bytes of
the journal MLflow has. What MLflow takes at no attempt goes from the journal to `refused`. Whoever writes or delivers
holds the lock beside the folder.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import threading
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout
from lightning_utilities.core.rank_zero import rank_zero_warn

from ae_lightning import __version__
from ae_lightning.file_names import DEFAULT_SPOOL
from ae_lightning.tracking.delivery import OtherVersionError, UndeliverableError, deliver_or_give_up
from ae_lightning.tracking.mlflow_writes import MLflowWrite, Target, decoded, encoded, merged

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

ORIGIN_FILE = "origin.json"
_JOURNAL, _DELIVERED, _FILES, _REFUSED = "journal", "delivered", "files", "refused"
_CRC_LENGTH = 8


class SpoolInUseError(Exception):
    """Another process writes or delivers it."""


@dataclass(frozen=True)
class Origin:
    """Where the writes of a spool belong.

    Attributes:
        tracking_uri: The store.
        run_id: The run.
        version: Of this package, as it wrote them.
    """

    tracking_uri: str
    run_id: str
    version: str = __version__


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
    def hint(self) -> str:
        """Where it is, and what to do about it."""
        command = sync_command(self.folder.parent)
        return f"MLflow does not have everything: the rest waits in {self.folder}; `{command}` delivers it"

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
            before = self._size()
            try:
                with (self.folder / _JOURNAL).open("ab") as journal:
                    journal.writelines(_record(write) for write in joined)
                    journal.flush()
                    os.fsync(journal.fileno())
            except OSError:
                os.truncate(self.folder / _JOURNAL, before)
                raise

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

    def deliver(self, record: Record, client: MlflowClient) -> None:
        """Deliver the first record that waits, and forget it.

        A delivery that is cut short is done again the next time. A damaged record is warned of and left out, one that
        the store takes at no attempt is warned of and set aside.

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
        _replace(self.folder / _DELIVERED, str(record.end))
        if write is not None and is_taken:
            self.forget(write)

    def _is_taken(self, write: MLflowWrite, client: MlflowClient) -> bool:
        if write.staged and not (self.files / write.staged).is_dir():
            # Its files are removed once it is delivered; only the note of that was lost.
            return True
        try:
            deliver_or_give_up(Target(client, self.origin.run_id, self.files), write)
        except UndeliverableError as error:
            path = self.folder / _REFUSED
            with path.open("ab") as refused:
                refused.write(_record(write))
            rank_zero_warn(f"MLflow takes everything but {write}, which is kept in {path}: {error}")
            return False
        return True

    def deliver_all(self, client: MlflowClient) -> int:
        """Deliver what waits, and count it.

        Raises:
            StoreAwayError: If the store does not take one; it and those behind it stay.
            OtherVersionError: If another version wrote what this one does not understand; likewise.
        """
        records = self.waiting()
        for record in records:
            self.deliver(record, client)
        return len(records)

    def forget(self, write: MLflowWrite) -> None:
        """Remove the files of a write."""
        if write.staged:
            shutil.rmtree(self.files / write.staged, ignore_errors=True)

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
        """Remove the folder; without its origin it is no spool, and what was refused or lost may stay in it."""
        if keeps_files or (self.folder / _REFUSED).exists():
            for name in (ORIGIN_FILE, _JOURNAL, _DELIVERED):
                (self.folder / name).unlink(missing_ok=True)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _make(self) -> None:
        if (self.folder / ORIGIN_FILE).exists() and self.is_held:
            return
        self.hold()
        # The origin may hold a password.
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self.files.mkdir(exist_ok=True)
        _replace(self.folder / ORIGIN_FILE, json.dumps(asdict(self.origin)))

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
            return _parse(line)
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


def _record(write: MLflowWrite) -> bytes:
    content = json.dumps(encoded(write)).encode()
    return f"{zlib.crc32(content):0{_CRC_LENGTH}x} ".encode() + content + b"\n"


def _parse(line: bytes) -> MLflowWrite | None:
    crc, content = line[:_CRC_LENGTH], line[_CRC_LENGTH + 1 : -1]
    if not line.endswith(b"\n") or crc != f"{zlib.crc32(content):0{_CRC_LENGTH}x}".encode():
        return None
    try:
        return decoded(json.loads(content))
    except ValueError:
        return None


def _replace(path: Path, text: str) -> None:
    """Write a small file whole or not at all."""
    temporary = path.with_suffix(".writing")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _sync_files(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
