"""Decoded images kept on disk: the second start of a training on the same files begins at once."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache as cached
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from numpy.typing import NDArray

from ae_lightning.data.image_folder import decoding, pixel_formats, resizing
from ae_lightning.data.store.arrays import ArrayDescription, ArrayWriter, StoredArray
from ae_lightning.data.store.cache import DECODED, DataCache
from ae_lightning.data.store.writing import sizes_for
from ae_lightning.errors import DataError, first_line
from ae_lightning.whole_files import replacing

PIXELS, DESCRIPTION = "pixels", "description.json"


@dataclasses.dataclass(frozen=True)
class Decoded:
    """The images of a folder.

    Attributes:
        pixels: Shape (N, C, H, W), in memory or on disk; indexed by positions, it gives a copy.
        places: Where among the files the images are from, in ascending order.
        resize: How they were brought to one size.
        notes: What is to be said of how they were read.
        unread: The files that were left out: their places, and why.
    """

    pixels: NDArray[Any] | StoredArray
    places: list[int]
    resize: str
    notes: list[str]
    unread: list[tuple[int, str]]


def kept_or_decoded(
    cache: DataCache, names: Iterable[str], files: Iterable[Path], settings: object, decode: Callable[[], Decoded]
) -> Decoded:
    """Return what is kept of files; decode and keep it if nothing is.

    What is damaged is made anew, and a disk that is full or cannot be written to costs a warning and the time alone. Of
    several that want the same at once, one makes it.

    Args:
        cache: Where it is kept.
        names: Of the files, wherever their folder lies.
        files: Their paths; of each, name, size and time of its last change count.
        settings: What else the images depend on.
        decode: Makes them.
    """
    if cache.folder is None:
        return decode()
    path = cache.folder / DECODED / _key_of(names, files, settings)
    found = _read(path)
    if found is not None:
        return found
    try:
        with cache.alone(path):
            found = _read(path)
            if found is None:
                found = decode()
                assert isinstance(found.pixels, np.ndarray)
                _keep(cache, path, found, found.pixels)
    finally:
        with suppress(OSError):  # where nothing is kept
            path.parent.rmdir()
            cache.folder.rmdir()
    return found


def _keep(cache: DataCache, path: Path, decoded: Decoded, pixels: NDArray[Any]) -> None:
    if pixels.nbytes > cache.max_bytes:
        size, most = (f"{num_bytes / 2**30:.3g}" for num_bytes in (pixels.nbytes, cache.max_bytes))
        warnings.warn(f"data.cache_gib: {size} GiB of images are more than {most}: not kept", stacklevel=3)
        return
    try:
        shutil.rmtree(path, ignore_errors=True)
        cache.make_room(pixels.nbytes)
        with replacing(path) as temporary:
            temporary.mkdir()
            writer = ArrayWriter(temporary, PIXELS, sizes_for(pixels[0].nbytes).block)
            writer.add(pixels)
            told = {**vars(decoded), "pixels": writer.close().model_dump()}
            (temporary / DESCRIPTION).write_text(json.dumps(told), "utf-8")
    except OSError as error:
        said = f"data.cache: decoded images cannot be kept in {path.parent} ({first_line(error)})"
        warnings.warn(f"{said}; the next start decodes them again", stacklevel=3)


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


@cached
def _reader_version() -> str:
    """Name the code that decodes: its sources, and Pillow's version."""
    sources = b"".join(Path(str(module.__file__)).read_bytes() for module in (decoding, pixel_formats, resizing))
    return f"{hashlib.blake2b(sources, digest_size=8).hexdigest()}|{PIL.__version__}"


def _read(path: Path) -> Decoded | None:
    """Return what is kept; None where there is nothing, or it is damaged."""
    try:
        told = json.loads((path / DESCRIPTION).read_text("utf-8"))
        described = ArrayDescription.model_validate_json(json.dumps(told["pixels"]))
        pixels = StoredArray(described, path, PIXELS)
        decoded = Decoded(pixels, told["places"], told["resize"], told["notes"], [(a, b) for a, b in told["unread"]])
        if len(pixels) != len(decoded.places) or not pixels.is_whole():
            return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, DataError):
        return None
    with suppress(OSError):
        os.utime(path)
    return decoded
