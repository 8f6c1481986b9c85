"""Results that depend on the data alone, kept on disk so that a data set pays for them once."""

from __future__ import annotations

import contextlib
import hashlib
import io
import threading
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ae_lightning.whole_files import replacing

Arrays = dict[str, NDArray[np.generic]]

_LIBRARIES = ("numpy", "scipy", "scikit-learn", "torch", "pillow")

_LOCKS: dict[str, threading.RLock] = {}
"""By key, so that of several threads one computes: of no cache, as that may be sent to another process."""

_SEAL_BYTES = 32
"""At the end of a file, behind the archive, of which readers of zip archives take no notice."""


class Cache:
    """Named arrays by key, in memory and, where a folder is given, in one ``.npz`` file a key.

    Several processes may share the folder: each writes a file of its own and renames it, so that nobody reads half of
    one. A file that is damaged, or not what was written under its key, is made anew, and a folder that cannot be
    written to costs the time alone.

    Args:
        folder: Where the files are, made at the first write; None for memory alone.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._known: dict[str, Arrays] = {}

    def get(self, key: str, compute: Callable[[], Arrays]) -> Arrays:
        """Return what is kept under a key, and compute and keep it if nothing is.

        Args:
            key: From ``fingerprint``.
            compute: Makes the arrays.
        """
        with _LOCKS.setdefault(key, threading.RLock()):
            if key not in self._known:
                found = self._read(key)
                self._known[key] = self._written(key, compute()) if found is None else found
            return self._known[key]

    def holds(self, key: str) -> bool:
        """Whether there is something under a key, be it damaged."""
        return key in self._known or self._path(key) is not None

    def _path(self, key: str) -> Path | None:
        path = None if self._folder is None else self._folder / f"{key}.npz"
        # A pipe in its place would be waited for.
        return path if path is not None and path.is_file() else None

    def _read(self, key: str) -> Arrays | None:
        path = self._path(key)
        if path is None:
            return None
        try:
            content = path.read_bytes()
        except OSError:
            return None
        archive, seal = content[:-_SEAL_BYTES], content[-_SEAL_BYTES:]
        if seal != _seal(key, archive):
            return None
        with np.load(io.BytesIO(archive)) as file:
            return dict(file)

    def _written(self, key: str, arrays: Arrays) -> Arrays:
        if self._folder is not None:
            with contextlib.suppress(OSError):
                self._write(self._folder, key, arrays)
        return arrays

    @staticmethod
    def _write(folder: Path, key: str, arrays: Arrays) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        archive = io.BytesIO()
        np.savez(archive, **arrays)  # type: ignore[arg-type]  # its stub takes the names for options
        with replacing(folder / f"{key}.npz") as temporary:
            temporary.write_bytes(archive.getvalue() + _seal(key, archive.getvalue()))


def _seal(key: str, archive: bytes) -> bytes:
    """Return a hash of what is kept under a key, which ends its file: what was altered is not taken for a result."""
    return hashlib.blake2b(key.encode() + archive, digest_size=_SEAL_BYTES).digest()


def fingerprint(*parts: str | int | NDArray[np.generic] | None) -> str:
    """Name a computation by what goes into it: the same parts and the same version of the measures, the same name.

    Args:
        parts: Words, numbers and arrays, each with its type, shape and every value.
    """
    digest = hashlib.blake2b(measures_version().encode(), digest_size=16)
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"|{part.dtype}{part.shape}|".encode())
            digest.update(np.ascontiguousarray(part).data)
        else:
            digest.update(f"|{part!r}|".encode())
    return digest.hexdigest()


@cache
def measures_version() -> str:
    """Name the code that measures: the sources of this folder and the versions of the libraries that it calls."""
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    digest.update(" ".join(f"{name} {version(name)}" for name in _LIBRARIES).encode())
    return digest.hexdigest()
