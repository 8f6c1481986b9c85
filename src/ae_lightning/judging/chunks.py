"""Rows of a large array in pieces of bounded memory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

MAX_CHUNK_VALUES = 2**23
"""Values held at once by a computation in chunks: 32 MiB in float32, 64 MiB in float64."""

MAX_CACHED_VALUES = 2**17
"""Values that a processor's cache holds, for computations that go through them several times: 1 MiB in float64."""

CHUNK_SIZE = 1024
"""Images that go through a model at once, at most."""

CACHED_SIZE = 256
"""Of them, so many at once on a CPU: what layers make of more leaves its cache, and takes twice as long."""

MAX_CHUNK_BYTES = 1 << 26
"""Bytes of 32-bit images that go through a model at once, at most: larger images come in smaller chunks."""


def chunks(num_rows: int, values_per_row: int) -> Iterator[slice]:
    """Cut rows into consecutive pieces of at most ``MAX_CHUNK_VALUES`` values, at least one row each.

    Args:
        num_rows: Rows in all.
        values_per_row: Values that one row makes the computation hold.

    Returns:
        Slices that cover ``range(num_rows)`` in order, without overlap.
    """
    return _pieces(num_rows, values_per_row, MAX_CHUNK_VALUES)


def cached_chunks(num_rows: int, values_per_row: int) -> Iterator[slice]:
    """Cut rows into consecutive pieces of at most ``MAX_CACHED_VALUES`` values, at least one row each.

    Args:
        num_rows: Rows in all.
        values_per_row: Values that one row makes the computation go through several times.

    Returns:
        As ``chunks`` does.
    """
    return _pieces(num_rows, values_per_row, min(MAX_CACHED_VALUES, MAX_CHUNK_VALUES))


def _pieces(num_rows: int, values_per_row: int, num_values: int) -> Iterator[slice]:
    step = max(1, num_values // max(1, values_per_row))
    for start in range(0, num_rows, step):
        yield slice(start, min(start + step, num_rows))


def sample_rows(rows: NDArray[np.float32], num: int, seed: int) -> NDArray[np.float32]:
    """Take a fixed random sample of rows, in their order; all of them where there are no more than ``num``."""
    chosen = sample_positions(len(rows), num, seed)
    return rows if chosen is None else rows[chosen]


def sample_positions(num_rows: int, num: int, seed: int) -> NDArray[np.int64] | None:
    """Draw positions of a fixed random sample, ascending; None where all ``num_rows`` rows are to be taken."""
    if num_rows <= num:
        return None
    return np.sort(np.random.default_rng(seed).choice(num_rows, num, replace=False))


def chunk_size(image_shape: Sequence[int]) -> int:
    """Return how many images of a shape (C, H, W) go through a model at once, at least 1."""
    return min(CHUNK_SIZE, num_within(MAX_CHUNK_BYTES, image_shape))


def num_within(num_bytes: int, shape: Sequence[int]) -> int:
    """Return how many 32-bit images, or codes, of a shape so many bytes hold, at least 1."""
    return max(1, num_bytes // (4 * math.prod(shape)))
