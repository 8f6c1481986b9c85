"""What keeps Gaussians fitted to codes well defined when dimensions of the code have collapsed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

COVARIANCE_FLOOR = 1e-3
"""Added to a fitted Gaussian's covariance, as a share of the training codes' total covariance."""

_LEAST_EIGENVALUE = 1e-6
"""What the total covariance has at least along each axis, as a share of its largest eigenvalue."""


@dataclass(frozen=True)
class Whitening:
    """The affine map that gives training codes mean 0 and covariance I.

    ``COVARIANCE_FLOOR`` can then be added to a covariance's diagonal as it is: it is that share of the training codes'
    total covariance, which follows whatever affine map codes are put through. An isotropic floor does not: it takes
    away what is told apart along an axis on which codes vary little.

    Where codes do not vary along an axis, their total covariance is taken as ``_LEAST_EIGENVALUE`` of the largest one,
    and constant codes are moved only.

    Attributes:
        mean: Shape (d,).
        forward: From centred codes, as rows, to white ones, shape (d, d).
        back: Its inverse; 0 of codes that are all the same. ``back.T @ back`` is the total covariance of the codes.
    """

    mean: NDArray[np.float64]
    forward: NDArray[np.float64]
    back: NDArray[np.float64]

    @classmethod
    def of(cls, train_codes: NDArray[np.float32]) -> Whitening:
        """Take mean and total covariance of training codes, shape (N, d)."""
        mean = train_codes.mean(axis=0, dtype=np.float64)
        centred = train_codes - mean
        values, vectors = np.linalg.eigh(centred.T @ centred / len(centred))
        largest = values[-1]
        # What is below the codes' own precision is rounding.
        varies = bool(largest > (np.finfo(np.float32).eps * np.abs(mean).max()) ** 2)
        roots = np.sqrt(values.clip(min=_LEAST_EIGENVALUE * largest)) if varies else np.ones_like(values)
        return cls(mean, vectors / roots, (vectors * roots).T * varies)

    def apply(self, codes: NDArray[np.float32]) -> NDArray[np.float64]:
        """Move and whiten codes, shape (M, d)."""
        white: NDArray[np.float64] = (codes - self.mean) @ self.forward
        return white

    def undo(self, white: NDArray[np.float64]) -> NDArray[np.float32]:
        """Give codes their own place and covariance back, shape (M, d)."""
        return np.asarray(white @ self.back + self.mean, dtype=np.float32)
