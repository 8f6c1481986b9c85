"""Results that depend on the data alone, kept on disk so that a data set pays for them once."""

from __future__ import annotations

import contextlib
import hashlib
import zipfile
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[np.generic]]

_LIBRARIES = ("numpy", "scipy", "scikit-learn", "torch", "pillow")


class Cache:
    """Named arrays by key, in memory and, where a folder is given, in one ``.npz`` file a key.

    Several processes may share the folder: each writes a file of its own and renames it, so that nobody reads half of
    one. A file that cannot be read is made anew, and a folder that cannot be written to costs the time alone.

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
        if key not in self._known:
            found = self._read(key)
            self._known[key] = self._written(key, compute()) if found is None else found
        return self._known[key]

    def _read(self, key: str) -> Arrays | None:
        if self._folder is None:
            return None
        try:
            with np.load(self._folder / f"{key}.npz") as file:
                return dict(file)
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            return None

    def _written(self, key: str, arrays: Arrays) -> Arrays:
        if self._folder is not None:
            with contextlib.suppress(OSError):
                self._write(self._folder, key, arrays)
        return arrays

    @staticmethod
    def _write(folder: Path, key: str, arrays: Arrays) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        # Not by `tempfile`, whose files nobody else may read.
        temporary = folder / f"{uuid4().hex}.part"
        try:
            with temporary.open("xb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]  # its stub takes the names for options
            temporary.replace(folder / f"{key}.npz")
        finally:
            temporary.unlink(missing_ok=True)


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
