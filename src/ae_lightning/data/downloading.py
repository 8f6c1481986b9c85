"""Downloads by others' code: one at a time, not for ever, and with nothing empty left behind by those that fail."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ae_lightning.errors import DataError
from ae_lightning.waiting import holding

DOWNLOAD_TIMEOUT_SECONDS = 30.0
LOCK_TIMEOUT_SECONDS = 3600.0

FAILURES = (OSError, RuntimeError, ValueError, EOFError, ImportError)
"""What a download, and what unpacks it, may end in."""


@contextmanager
def downloading(what: str, root: Path, lock_name: str, remedy: Callable[[], str]) -> Iterator[None]:
    """Let one process of a machine download, and turn a failure into advice.

    Every rank of a distributed run asks for the images; without the lock all of them would write the files.

    Args:
        what: Is downloaded: begins the message.
        root: The folder that it goes to.
        lock_name: What tells it from other downloads there.
        remedy: Says what else would help.

    Raises:
        DataError: If it fails.
    """
    timeout = socket.getdefaulttimeout()
    lock = root / f".{lock_name}.lock"
    # torchvision sets none: a firewall that drops packets would stall the run for many minutes
    socket.setdefaulttimeout(DOWNLOAD_TIMEOUT_SECONDS)
    try:
        root.mkdir(parents=True, exist_ok=True)
        with holding(lock, LOCK_TIMEOUT_SECONDS):
            try:
                yield
            finally:
                lock.unlink(missing_ok=True)
    except FAILURES as error:
        raise DataError(f"{what}: the download failed ({_last_line(error)}); {remedy()}") from error
    finally:
        socket.setdefaulttimeout(timeout)


@contextmanager
def no_empty_folders(root: Path, within: Sequence[Path] = ()) -> Iterator[None]:
    """Remove what a failure leaves behind of new folders, where nothing is in them.

    Args:
        root: Below which they are made, itself and those that it lies in among them.
        within: Folders below it that may be there already, and in which others are made.
    """
    new = [one for place in (root, *within) for one in (place, *place.parents) if not one.exists()]
    before = _folders_in(root)
    try:
        yield
    except BaseException:
        for folder in _folders_in(root) - before:
            for inner, _, _ in os.walk(folder, topdown=False):
                _remove(Path(inner))
        for folder in sorted(set(new), key=lambda one: -len(one.parts)):
            _remove(folder)
        raise


def _folders_in(root: Path) -> set[Path]:
    return {one for one in root.iterdir() if one.is_dir()} if root.is_dir() else set()


def _remove(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
