"""How much of the bottleneck is used."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MIN_VARIANCE = 0.01
"""Variance of a dimension's mean code above which the dimension counts as used."""


def active_units(codes: NDArray[np.float32]) -> float:
    """Count the dimensions whose mean code varies over the images (Burda, Grosse and Salakhutdinov 2016, section 5.2).

    The threshold supposes a prior of variance 1, so that of other codes, PCA's too, it counts dimensions that vary
    by more than 0.01 in their own units.

    Args:
        codes: Mean codes, shape (N, d).

    Returns:
        The number of dimensions with a variance above ``MIN_VARIANCE``.
    """
    return float((codes.var(axis=0, dtype=np.float64) > MIN_VARIANCE).sum())
