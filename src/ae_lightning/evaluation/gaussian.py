"""What keeps Gaussians fitted to codes well defined when dimensions of the code have collapsed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

COVARIANCE_FLOOR = 1e-3
"""Added to a fitted Gaussian's variances, as a share of the training codes' mean variance per dimension."""


def to_unit_variance(
    train_codes: NDArray[np.float32], codes: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Move and scale codes so that the training codes have mean 0 and a mean variance of 1 per dimension.

    One scale serves all dimensions, so neither a mixture nor a discriminant changes; but
    ``COVARIANCE_FLOOR`` can then be added to a variance as it is. Constant codes are moved only.

    Args:
        train_codes: Shape (N, d), which set the mean and the scale.
        codes: Shape (M, d), moved and scaled by the same.

    Returns:
        Both, in float64.
    """
    mean = train_codes.mean(axis=0, dtype=np.float64)
    variance = float(train_codes.var(axis=0, dtype=np.float64).mean())
    scale = np.sqrt(variance) if variance > 0 else 1.0
    return (train_codes - mean) / scale, (codes - mean) / scale
