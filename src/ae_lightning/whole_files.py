"""Files and folders that are whole under their name, or not there."""

from __future__ import annotations

import glob
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_SUFFIX = ".writing"
_MAX_NAME = 40
"""Characters of a name that its temporary one repeats, which must not become too long for the disk."""


@contextmanager
def replacing(path: Path, *, overwrites: bool = True, syncs: bool = True) -> Iterator[Path]:
    """Give another name in the same folder to write to; what is there in the end is synced to the disk and renamed.

    A process that is killed at any moment, or a disk that is full, leaves what was there before. What an earlier one
    left unfinished of the same name is removed.

    Args:
        path: The file or folder.
        overwrites: Whether a file may take the place of one that is there.
        syncs: Whether to wait for the disk, where nobody else does afterwards.

    Yields:
        The temporary name, of which there is nothing yet.

    Raises:
        OSError: If the disk does not take it; a FileExistsError if there is one that it must not overwrite.
    """
    own = f".{path.name[:_MAX_NAME]}."
    remove_unfinished(path.parent, own)
    temporary = path.with_name(f"{own}{os.getpid()}{_SUFFIX}")
    try:
        yield temporary
        if syncs:
            sync(temporary)
        if overwrites:
            temporary.replace(path)
        else:
            _take_name(temporary, path)
        if syncs:
            # Not every file system syncs folders.
            with suppress(OSError):
                sync(path.parent)
    finally:
        _remove(temporary)


def remove_unfinished(folder: Path, start: str = ".") -> None:
    """Remove what processes that were killed while they wrote have left in a folder.

    Args:
        folder: It.
        start: How the temporary names begin.
    """
    # SQLite keeps a journal beside a file, of its name and more.
    for path in folder.glob(f"{glob.escape(start)}*{_SUFFIX}*"):
        if not _is_being_written(path):
            _remove(path)


def _is_being_written(path: Path) -> bool:
    process_id = path.name.rpartition(_SUFFIX)[0].rpartition(".")[2]
    # Only what bears the number of a process is ours.
    if not process_id.isdecimal():
        return True
    try:
        os.kill(int(process_id), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return int(process_id) != os.getpid()


def _take_name(temporary: Path, path: Path) -> None:
    """Rename, unless there is something of that name; also where it has come since anybody looked."""
    if not temporary.is_dir():
        try:
            os.link(temporary, path)
            return
        except FileExistsError:
            raise
        except OSError:
            # The file system may have no hard links.
            pass
    if path.exists():
        raise FileExistsError(f"{path} is there already")
    temporary.rename(path)


def sync(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
