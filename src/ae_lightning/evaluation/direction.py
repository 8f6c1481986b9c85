"""Which way a measure is better."""

from __future__ import annotations

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


def is_better(name: str, value: float, other: float) -> bool:
    """Whether a value is at least as good as another.

    Args:
        name: The measure, without `val/`, `test/` or `pca_`.
        value: Of one model.
        other: Of another.
    """
    return value <= other if name in LOWER_IS_BETTER else value >= other
