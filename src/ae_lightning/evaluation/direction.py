"""Which way a measure is better."""

from __future__ import annotations

import math
from collections.abc import Iterable

LOWER_IS_BETTER = frozenset(
    {
        "mse",
        "prior_mmd",
        "prior_swd",
        "sample_frechet",
        "sample_frechet_gmm",
    }
)
"""Measures of which less is better; of every other measure more is."""

WITHOUT_DIRECTION = frozenset({"active_units", "bits_per_pixel"})
"""Measures of which neither more nor less is better: a rate says nothing without the PSNR that it buys."""

NOT_BELOW_ZERO = frozenset({"prior_mmd"})
"""Estimates of what cannot be negative: below 0 they differ by chance alone, and none is better than another."""


def best_of(name: str, values: Iterable[float]) -> float | None:
    """Return the best of several values of a measure.

    Args:
        name: The measure, without `val/`, `test/` or `pca_`.
        values: Those that are NaN or infinite take no part.

    Returns:
        The least or the greatest, whichever is better, the first of several that are equally good; None where neither
        is better, or there is no value.
    """
    finite = [value for value in values if math.isfinite(value)]
    if name in WITHOUT_DIRECTION or not finite:
        return None
    if name in NOT_BELOW_ZERO:
        return min(finite, key=lambda value: max(0.0, value))
    return min(finite) if name in LOWER_IS_BETTER else max(finite)
