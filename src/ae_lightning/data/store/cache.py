"""The folder of what is kept of data between starts: decoded images, and files fetched from an address."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from ae_lightning.checks import bytes_of_gib
from ae_lightning.waiting import holding

DECODED, FETCHED = "decoded", "streams"
_ENTRIES = (f"{DECODED}/{'?' * 32}", f"{FETCHED}/*/*/[!.]*.npy")

PATIENCE = 3600.0
"""Seconds that a start waits for another one to make the same: no longer than it would take itself."""


class DataCache:
    """Files and folders, of which those are thrown out first that were not used for longest.

    Args:
        folder: Where they are; None keeps none.
        gib: How much is kept at most, in GiB.

    Raises:
        ConfigError: If that is no positive number.
    """

    def __init__(self, folder: Path | None, gib: float = 20.0) -> None:
        self.folder = folder
        self.max_bytes = bytes_of_gib("data.cache_gib", gib)

    def make_room(self, num_bytes: int) -> None:
        """Throw out what is too much for something new of so many bytes."""
        assert self.folder is not None
        found: list[tuple[float, Path, int]] = []
        for path in (path for pattern in _ENTRIES for path in self.folder.glob(pattern)):
            with suppress(OSError):  # another process throws it out
                files = path.iterdir() if path.is_dir() else [path]
                found.append((path.stat().st_mtime, path, sum(file.stat().st_size for file in files)))
        left = sum(size for *_, size in found)
        for _, path, size in sorted(found):
            if left + num_bytes <= self.max_bytes:
                return
            shutil.rmtree(path, ignore_errors=True)
            with suppress(OSError):
                path.unlink()
            left -= size

    @contextmanager
    def alone(self, path: Path) -> Iterator[None]:
        """Be the only one that makes a file or folder, where a lock can be had, and leave none behind.

        Who waits for one that is taken away makes it too, beside a third that comes later: that costs the time alone.
        """
        lock = path.with_name(f"{path.name}.lock")
        try:
            with ExitStack() as stack:
                with suppress(OSError):
                    lock.parent.mkdir(parents=True, exist_ok=True)
                    stack.enter_context(holding(lock, PATIENCE))
                yield
        finally:
            with suppress(OSError):
                lock.unlink()
