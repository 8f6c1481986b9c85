"""Samples in arrays: which layouts there are, and how they are kept."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ae_lightning.errors import DataError

CHANNELS = (1, 3)
CHUNK = 4096


class Header(NamedTuple):
    """What an array is, apart from its values."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def kept_as(self) -> np.dtype[Any]:
        """What samples are kept as: bytes, 16-bit numbers, or 32-bit floating point."""
        is_short = self.dtype.kind == "b" or (self.dtype.kind == "u" and self.dtype.itemsize <= 2)
        return np.dtype(np.uint16 if is_short and self.dtype.itemsize == 2 else np.uint8 if is_short else np.float32)


def check_sample_header(where: str, header: Header) -> None:
    """Refuse what are no samples.

    Args:
        where: Begins the message.
        header: Of the array.

    Raises:
        DataError: If they are neither images nor vectors, or there are none.
    """
    shape, dtype = header
    is_vector = len(shape) == 2
    if not (dtype.kind == "f" or header.kept_as != np.float32 or (is_vector and dtype.kind in "iu")):
        raise DataError(
            f"{where} has dtype {dtype}; images must be uint8, uint16 or floating point, vectors of real numbers"
        )
    if len(shape) not in (2, 3, 4):
        layouts = "(N, H, W), (N, H, W, C) or (N, C, H, W), vectors (N, D)"
        raise DataError(f"{where} has shape {shape}; images must have {layouts}")
    if math.prod(shape) == 0:
        raise DataError(f"{where} is empty: its shape is {shape}")
    if len(shape) == 4 and channel_axis(shape) is None:
        raise DataError(
            f"{where} has shape {shape}, in which the channels may be first or last; "
            "they must be 1 or 3, or fewer than the rows or columns at the other end"
        )


def channel_axis(shape: tuple[int, ...]) -> int | None:
    """Return which of the four axes of images has their channels; None where that cannot be told."""
    if shape[3] in CHANNELS:
        return 3
    if shape[1] in CHANNELS:
        return 1
    return None if shape[1] == shape[3] else 1 if shape[1] < shape[3] else 3


def with_channels_first(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return images in the shape (N, C, H, W) and vectors in theirs, contiguous."""
    if values.ndim == 3:
        values = values[:, None]
    elif values.ndim == 4 and channel_axis(values.shape) == 3:
        values = values.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(values)


def converted(array: npt.NDArray[Any], kept_as: np.dtype[Any], where: str) -> npt.NDArray[Any]:
    """Return samples as they are kept; the array itself where it is of that type.

    Args:
        array: As it was given.
        kept_as: As `Header.kept_as` says.
        where: Begins the message.

    Raises:
        DataError: If values are not finite.
    """
    values = np.empty(array.shape, kept_as) if array.dtype != kept_as else array
    for start in range(0, len(array), CHUNK):  # in chunks: what is looked at would else be held beside all of it
        rows = slice(start, start + CHUNK)
        if values is not array:
            with np.errstate(over="ignore"):
                values[rows] = array[rows]
        if kept_as == np.float32 and not np.isfinite(values[rows]).all():
            raise DataError(f"{where} has values that are NaN, infinite or too large for 32 bits")
    return values
