"""Which way a measure is better."""

from __future__ import annotations

from collections.abc import Sequence

LOWER_IS_BETTER = frozenset(
    {
        "mse",
        "prior_mmd",
        "prior_swd",
        "sample_frechet",
        "sample_frechet_gmm",
        "bits_per_pixel",
    }
)
"""Measures of which less is better; of every other measure more is."""

WITHOUT_DIRECTION = frozenset({"active_units"})
"""Measures of which neither more nor less is better."""


def best_of(name: str, values: Sequence[float]) -> float | None:
    """Return the best of several values of a measure.

    Args:
        name: The measure, without `val/`, `test/` or `pca_`.
        values: One or more.

    Returns:
        The least or the greatest, whichever is better; None where neither is.
    """
    if name in WITHOUT_DIRECTION:
        return None
    return min(values) if name in LOWER_IS_BETTER else max(values)
