"""Look over files in the idx format of MNIST before torchvision reads them.

torchvision's reader says neither which file is damaged nor how.
"""

from __future__ import annotations

import math
import struct
from pathlib import Path

from ae_lightning.errors import DataError

UINT8_TYPE = 8


def check_idx_file(path: Path, num_dimensions: int) -> tuple[int, ...]:
    """Check that an idx file of bytes is whole.

    Args:
        path: The file, not compressed.
        num_dimensions: How many dimensions its array must have.

    Returns:
        The shape of its array.

    Raises:
        DataError: If the file cannot be read, is of another format, or holds more or less than it declares.
    """
    try:
        with path.open("rb") as file:
            header = file.read(4 + 4 * num_dimensions)
        size = path.stat().st_size
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    if len(header) < 4 + 4 * num_dimensions:
        raise DataError(f"{path} is truncated: it holds {size} bytes; delete it and get it again")
    magic, *shape = struct.unpack(f">{1 + num_dimensions}I", header)
    if magic != UINT8_TYPE << 8 | num_dimensions:
        raise DataError(f"{path} is corrupt: it is no idx file of bytes in {num_dimensions} dimensions")
    declared = len(header) + math.prod(shape)
    if size != declared:
        fault = "truncated" if size < declared else "corrupt"
        raise DataError(f"{path} is {fault}: {size} bytes instead of {declared}; delete it and get it again")
    return tuple(shape)
