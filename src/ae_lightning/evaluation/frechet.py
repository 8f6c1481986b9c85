"""Whether drawn images look like real ones to a classifier."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NUM_DRAWN = 5_000
"""Images drawn, and real images at most, for a Fréchet distance."""


def frechet_distance(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Fréchet distance between the Gaussians of two sets of features (Dowson and Landau 1982; Heusel et al. 2017).

    ‖m₁ − m₂‖² + tr(S₁ + S₂ − 2 (S₁ S₂)^½). Singular covariances are no trouble: the trace of the root is that of
    the symmetric S₁^½ S₂ S₁^½, whose eigenvalues are not negative.

    Args:
        first: Shape (N, k), N ≥ 2.
        second: Shape (M, k), M ≥ 2.

    Returns:
        The distance, in squared units of the features, 0 at best.
    """
    (mean, covariance), (other_mean, other_covariance) = (_moments(features) for features in (first, second))
    values, vectors = np.linalg.eigh(covariance)
    root = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
    product = np.linalg.eigvalsh(root @ other_covariance @ root).clip(min=0)
    spread = np.trace(covariance) + np.trace(other_covariance) - 2 * np.sqrt(product).sum()
    return float(max(0.0, np.square(mean - other_mean).sum() + spread))


def _moments(features: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    features = features.astype(np.float64)
    return features.mean(axis=0), np.atleast_2d(np.cov(features, rowvar=False))
