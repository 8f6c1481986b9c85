"""Squared Euclidean distances of all pairs of two sets of points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Points:
    """Points that distances are taken to, in 64-bit: in 32-bit ‖x‖² + ‖y‖² − 2 x·y loses what close points differ by.

    Args:
        points: Shape (M, d).
    """

    def __init__(self, points: NDArray[np.float32]) -> None:
        self._points = points.astype(np.float64)
        self._squares = np.square(self._points).sum(axis=1)

    def squared_distances(self, others: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the squared distances of other points (N, d) to these, shape (N, M), at least 0."""
        others = others.astype(np.float64)
        found: NDArray[np.float64] = (-2 * others) @ self._points.T
        found += self._squares
        found += np.square(others).sum(axis=1)[:, None]
        return np.maximum(found, 0, out=found)
