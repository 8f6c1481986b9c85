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
"""Measures of which less is better."""

HIGHER_IS_BETTER = frozenset(
    {
        "class_gaussian_accuracy",
        "compression_psnr",
        "denoising_psnr_gain",
        "few_shot_accuracy_1",
        "few_shot_accuracy_5",
        "few_shot_accuracy_10",
        "gmm_accuracy",
        "hash_map",
        "kmeans_accuracy",
        "kmeans_ari",
        "kmeans_nmi",
        "knn_accuracy",
        "linear_probe_accuracy",
        "nearest_centroid_accuracy",
        "novelty_auroc",
        "novelty_auroc_code",
        "overlay_one_accuracy",
        "overlay_pair_accuracy",
        "psnr",
        "retrieval_map",
        "ssim",
    }
)
"""Measures of which more is better."""

WITHOUT_DIRECTION = frozenset({"active_units", "bits_per_pixel"})
"""Measures of which neither more nor less is better: a rate says nothing without the PSNR that it buys."""

MEASURED = LOWER_IS_BETTER | HIGHER_IS_BETTER | WITHOUT_DIRECTION
"""All that measures give, by name; whatever else is logged of a split is a term of an objective."""

NOT_BELOW_ZERO = frozenset({"prior_mmd"})
"""Estimates of what cannot be negative: below 0 they differ by chance alone, and none is better than another."""


def is_measure(logged: str) -> bool:
    """Whether a value of the validation split is a measure, or PCA's, and no term of an objective.

    Args:
        logged: Its name in the log, such as `val/pca_psnr`.
    """
    return logged.removeprefix("val/").removeprefix("pca_") in MEASURED


def best_of(name: str, values: Iterable[float]) -> float | None:
    """Return the best of several values of a measure.

    Args:
        name: The measure, without `val/`, `test/` or `pca_`; or a term of an objective.
        values: Those that are NaN or infinite take no part.

    Returns:
        The least or the greatest, whichever is better, the first of several that are equally good; None where neither
        is better, or there is no value.
    """
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return None
    if name in NOT_BELOW_ZERO:
        return min(finite, key=lambda value: max(0.0, value))
    if name in LOWER_IS_BETTER:
        return min(finite)
    return max(finite) if name in HIGHER_IS_BETTER else None
