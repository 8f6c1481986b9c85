"""What keeps Gaussians fitted to codes well defined when dimensions of the code have collapsed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

COVARIANCE_FLOOR = 1e-3
"""Added to a fitted Gaussian's variances, as a share of the training codes' mean variance per dimension."""


@dataclass(frozen=True)
class UnitVariance:
    """The move and scale that give training codes mean 0 and a mean variance of 1 per dimension.

    One scale serves all dimensions, so neither a mixture nor a discriminant changes; but ``COVARIANCE_FLOOR`` can then
    be added to a variance as it is. Constant codes are moved only.

    Attributes:
        mean: Shape (d,).
        scale: Square root of the mean variance, 1 for constant codes.
    """

    mean: NDArray[np.float64]
    scale: float

    @classmethod
    def of(cls, train_codes: NDArray[np.float32]) -> UnitVariance:
        """Take mean and scale of training codes, shape (N, d)."""
        variance = float(train_codes.var(axis=0, dtype=np.float64).mean())
        return cls(train_codes.mean(axis=0, dtype=np.float64), variance**0.5 if variance > 0 else 1.0)

    def apply(self, codes: NDArray[np.float32]) -> NDArray[np.float64]:
        """Move and scale codes, shape (M, d)."""
        return (codes - self.mean) / self.scale

    def undo(self, scaled: NDArray[np.float64]) -> NDArray[np.float32]:
        """Give codes their own place and scale back, shape (M, d)."""
        return np.asarray(scaled * self.scale + self.mean, dtype=np.float32)
