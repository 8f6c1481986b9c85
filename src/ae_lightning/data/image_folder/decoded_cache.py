"""Decoded images kept on disk: the second start of a training on the same files begins at once."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from numpy.lib import format as npy
from numpy.typing import NDArray

from ae_lightning.checks import require_positive
from ae_lightning.data.image_folder import decoding, pixel_formats, resizing
from ae_lightning.errors import first_line
from ae_lightning.waiting import holding
from ae_lightning.whole_files import replacing

FOLDER = "decoded"
PIXELS, DESCRIPTION = "pixels.npy", "description.json"
PATIENCE = 3600.0
"""Seconds that a start waits for another one to decode the same files: no longer than it would take itself."""

CHUNK = 1 << 24


@dataclasses.dataclass(frozen=True)
class Decoded:
    """The images of a folder.

    Attributes:
        pixels: Shape (N, C, H, W).
        places: Where among the files the images are from, in ascending order.
        resize: How they were brought to one size.
        notes: What is to be said of how they were read.
        unread: The files that were left out: their places, and why.
    """

    pixels: NDArray[Any]
    places: list[int]
    resize: str
    notes: list[str]
    unread: list[tuple[int, str]]


class DecodedCache:
    """Decoded images by what they were decoded from, the longest unused thrown out first.

    What is damaged is made anew, and a disk that is full or cannot be written to costs a warning and the time alone. Of
    several that want the same at once, one makes it.

    Args:
        folder: Where they are kept, in a folder of their own; None keeps none.
        gib: How much is kept at most, in GiB.

    Raises:
        ConfigError: If that is no positive number.
    """

    def __init__(self, folder: Path | None, gib: float = 20.0) -> None:
        self._folder = None if folder is None else folder / FOLDER
        self._max_bytes = int(require_positive("data.cache_gib", gib) * 2**30)

    def get(
        self, names: Iterable[str], files: Iterable[Path], settings: object, decode: Callable[[], Decoded]
    ) -> Decoded:
        """Return what is kept of files, its pixels mapped into memory; decode and keep it if nothing is.

        Args:
            names: Of the files, wherever their folder lies.
            files: Their paths; of each, name, size and time of its last change count.
            settings: What else the images depend on.
            decode: Makes them.
        """
        if self._folder is None:
            return decode()
        key = _key_of(names, files, settings)
        path = self._folder / key
        found = _read(path)
        if found is not None:
            return found
        with _alone(self._folder, key):
            found = _read(path)
            if found is not None:
                return found
            made = decode()
            self._keep(path, made)
        return made

    def _keep(self, path: Path, decoded: Decoded) -> None:
        if decoded.pixels.nbytes > self._max_bytes:
            size, most = (f"{num_bytes / 2**30:.3g}" for num_bytes in (decoded.pixels.nbytes, self._max_bytes))
            warnings.warn(f"data.cache_gib: {size} GiB of images are more than {most}: not kept", stacklevel=3)
            return
        try:
            shutil.rmtree(path, ignore_errors=True)
            self._make_room(path.parent, decoded.pixels.nbytes)
            with replacing(path) as temporary:
                temporary.mkdir()
                _write(temporary / PIXELS, decoded.pixels)
                (temporary / DESCRIPTION).write_text(json.dumps(_described(decoded)), "utf-8")
        except OSError as error:
            said = f"data.cache: decoded images cannot be kept in {path.parent} ({first_line(error)})"
            warnings.warn(f"{said}; the next start decodes them again", stacklevel=3)

    def _make_room(self, folder: Path, num_bytes: int) -> None:
        kept = sorted(folder.glob(f"*/{DESCRIPTION}"), key=lambda path: path.stat().st_mtime)
        sizes = {path.parent: sum(file.stat().st_size for file in path.parent.iterdir()) for path in kept}
        for oldest in list(sizes):
            if sum(sizes.values()) + num_bytes <= self._max_bytes:
                return
            shutil.rmtree(oldest, ignore_errors=True)
            del sizes[oldest]


def _key_of(names: Iterable[str], files: Iterable[Path], settings: object) -> str:
    """Name images by the files that they are decoded from, how, and by which code."""
    digest = hashlib.blake2b(f"{_reader_version()}|{settings!r}".encode(), digest_size=16)
    for name, file in zip(names, files, strict=True):
        try:
            stat = file.stat()
            told = f"{stat.st_size}|{stat.st_mtime_ns}"
        except OSError as error:  # a link that leads to nothing
            told = str(error.errno)
        digest.update(f"|{name}|{told}".encode(errors="surrogateescape"))
    return digest.hexdigest()


@cache
def _reader_version() -> str:
    """Name the code that decodes: its sources, and Pillow's version."""
    sources = b"".join(Path(str(module.__file__)).read_bytes() for module in (decoding, pixel_formats, resizing))
    return f"{hashlib.blake2b(sources, digest_size=8).hexdigest()}|{PIL.__version__}"


def _write(path: Path, pixels: NDArray[Any]) -> None:
    """Write an array as `np.save` does, which does not notice that the disk is full as it closes the file."""
    with path.open("wb") as file:
        npy.write_array_header_1_0(file, npy.header_data_from_array_1_0(pixels))
        file.write(np.ascontiguousarray(pixels).data)


def _described(decoded: Decoded) -> dict[str, Any]:
    told = {field.name: getattr(decoded, field.name) for field in dataclasses.fields(decoded) if field.name != "pixels"}
    return {**told, "checksum": _checksum(decoded.pixels)}


def _read(path: Path) -> Decoded | None:
    """Return what is kept; None where there is nothing, or it is damaged."""
    try:
        told = json.loads((path / DESCRIPTION).read_text("utf-8"))
        checksum = told.pop("checksum")
        # Copied where it is written to: PyTorch warns of arrays that it must not write to.
        pixels = np.load(path / PIXELS, mmap_mode="c", allow_pickle=False)
        decoded = Decoded(pixels, told["places"], told["resize"], told["notes"], [(a, b) for a, b in told["unread"]])
        if _checksum(pixels) != checksum or len(pixels) != len(decoded.places):
            return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    with suppress(OSError):
        (path / DESCRIPTION).touch()
    return decoded


def _checksum(pixels: NDArray[Any]) -> int:
    flat, found = np.ascontiguousarray(pixels).reshape(-1).view(np.uint8), 0
    for start in range(0, len(flat), CHUNK):
        found = zlib.crc32(flat[start : start + CHUNK].data, found)
    return found


@contextmanager
def _alone(folder: Path, key: str) -> Iterator[None]:
    """Be the only one that decodes these files, where a lock can be had, and leave none behind.

    Who waits for one that is taken away decodes too, beside a third that comes later: that costs the time alone.
    """
    lock = folder / f"{key}.lock"
    try:
        with ExitStack() as stack:
            with suppress(OSError):
                folder.mkdir(parents=True, exist_ok=True)
                stack.enter_context(holding(lock, PATIENCE))
            yield
    finally:
        with suppress(OSError):
            lock.unlink()
            # Where nothing is kept.
            folder.rmdir()
            folder.parent.rmdir()
