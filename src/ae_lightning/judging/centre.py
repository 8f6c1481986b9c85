"""Where rows lie, about which whatever is computed of their distances has to be."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def centre_of(rows: NDArray[Any]) -> NDArray[Any]:
    """Return the mean of rows, shape (N, d), summed in 64-bit and of their type, shape (d,).

    What is made of products of rows, such as ‖x‖² + ‖y‖² − 2 x·y, loses in 32-bit what rows far from 0 differ by: they
    are to be moved by it first.
    """
    return np.asarray(rows.mean(axis=0, dtype=np.float64), rows.dtype)
