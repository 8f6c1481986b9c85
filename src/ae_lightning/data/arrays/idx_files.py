"""Arrays of bytes in idx files, as MNIST and its like are published, packed by gzip or not."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ae_lightning.data.memory import require_memory
from ae_lightning.errors import DataError

PACKED = ".gz"
UINT8_TYPE = 8
LARGEST_RATIO = 1032
"""More than so many bytes out of each one, gzip cannot hold."""

_AGAIN = "delete it and get it again"


def find_idx_file(folder: Path, name: str) -> Path | None:
    """Return an idx file of a folder, unpacked or packed; None where there is neither."""
    return next((path for path in (folder / name, folder / f"{name}{PACKED}") if path.is_file()), None)


def read_idx(path: Path, num_dimensions: int) -> NDArray[np.uint8]:
    """Read an idx file of bytes.

    Args:
        path: The file; packed if its suffix is ``.gz``.
        num_dimensions: How many dimensions its array must have.

    Raises:
        DataError: If the file cannot be read, is of another format, or holds more or less than it declares.
    """
    header_size = 4 + 4 * num_dimensions
    is_packed = path.suffix == PACKED
    try:
        size = path.stat().st_size
        with gzip.open(path) if is_packed else path.open("rb") as file:
            header = file.read(header_size)
            if len(header) < header_size:
                raise DataError(f"{path} is truncated: it holds {len(header) if is_packed else size} bytes; {_AGAIN}")
            shape = _shape_in(header, num_dimensions, path)
            declared = header_size + math.prod(shape)
            most = size * LARGEST_RATIO if is_packed else size
            if declared > most or (not is_packed and declared != size):
                _refuse_size(path, size, declared)
            require_memory(math.prod(shape), f"{path}:")
            # One byte more than is declared, in which more than there should be shows, and gzip looks at its checksum.
            content = file.read(math.prod(shape) + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        fault = "truncated" if isinstance(error, EOFError) else "corrupt"
        raise DataError(f"{path} is {fault}: {error}; {_AGAIN}") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) != math.prod(shape):
        _refuse_size(path, header_size + len(content), declared)
    # A copy: torch takes no array that cannot be written.
    return np.frombuffer(content, np.uint8).reshape(shape).copy()


def _shape_in(header: bytes, num_dimensions: int, path: Path) -> tuple[int, ...]:
    magic, *shape = struct.unpack(f">{1 + num_dimensions}I", header)
    if magic != UINT8_TYPE << 8 | num_dimensions:
        raise DataError(f"{path} is corrupt: it is no idx file of bytes in {num_dimensions} dimensions")
    return tuple(shape)


def _refuse_size(path: Path, size: int, declared: int) -> None:
    fault = "truncated" if size < declared else "corrupt"
    raise DataError(f"{path} is {fault}: {size} bytes instead of {declared}; {_AGAIN}")
