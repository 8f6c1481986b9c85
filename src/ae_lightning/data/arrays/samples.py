"""Samples in arrays: which layouts there are, and how they are kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

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


class SampleArray(NamedTuple):
    """An array of samples in a file.

    Attributes:
        name: Of the array.
        header: With the samples along the first axis.
        is_last: Whether in the file they lie along the last one.
    """

    name: str
    header: Header
    is_last: bool

    @classmethod
    def of(cls, name: str, header: Header, num_labels: int | None) -> SampleArray:
        """Find out which axis the samples lie along.

        Args:
            name: Of the array.
            header: As stored.
            num_labels: How many labels go with it, which tell; without any, images (H, W, C, N) must be square.
        """
        shape = header.shape
        is_last = False
        if len(shape) > 2 and num_labels is not None:
            is_last = shape[0] != num_labels == shape[-1]
        elif len(shape) == 4:
            is_last = shape[2] in CHANNELS and shape[0] == shape[1] and not {shape[1], shape[3]} & {*CHANNELS}
        return cls(name, Header((shape[-1], *shape[:-1]), header.dtype) if is_last else header, is_last)

    @property
    def checked(self) -> Header:
        """The header as `check_sample_header` takes it: integers of images may turn out to be bytes."""
        has_wide = len(self.header.shape) > 2 and self.header.dtype.kind in "iu" and self.header.kept_as == np.float32
        return Header(self.header.shape, np.dtype(np.uint8)) if has_wide else self.header

    def samples_first(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the array of the file with the samples along the first axis."""
        return np.moveaxis(array, -1, 0) if self.is_last else array

    def smallest_type(self, array: npt.NDArray[Any], where: str) -> np.dtype[Any] | None:
        """Return the type of 8 or 16 bits that takes the integers of images; None where their type says it already.

        Raises:
            DataError: If none does.
        """
        if self.checked is self.header:
            return None
        low, high = int(array.min()), int(array.max())
        if low < 0 or high > np.iinfo(np.uint16).max:
            span = f"from {low} to {high}"
            raise DataError(
                f"{where} has dtype {array.dtype} and values {span}; integers of images lie from 0 to 65535"
            )
        return np.dtype(np.uint8 if high <= np.iinfo(np.uint8).max else np.uint16)


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


def stretched(splits: Sequence[Tensor]) -> bool:
    """Stretch images of 8 bits that hold 0 and 1 alone to 0 and 255, in place.

    Args:
        splits: Of one data set, each (N, C, H, W).

    Returns:
        Whether they are such.
    """
    are_bytes = all(split.ndim == 4 and split.dtype == torch.uint8 for split in splits)
    if not are_bytes or max(int(split.max()) for split in splits) != 1:
        return False
    for split in splits:
        split.mul_(255)
    return True


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
