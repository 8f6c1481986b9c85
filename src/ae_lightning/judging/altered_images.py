"""Images of the evaluated split that something was done to, for the measures that ask for them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_CORRUPTED = 10_000
"""Images that are corrupted; of larger splits a fixed random sample."""

MAX_OVERLAID = 10_000
"""Images that are overlaid; of larger splits a fixed random sample."""


@dataclass(frozen=True)
class CorruptedImages:
    """Images before and after a corruption.

    Attributes:
        clean: Shape (N, C, H, W), in [0, 1].
        corrupted: Of the same shape, in [0, 1].
        labels: Their classes, shape (N,), −1 where missing; None where there are none.
    """

    clean: NDArray[np.float32]
    corrupted: NDArray[np.float32]
    labels: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class OverlaidImages:
    """Images that each show two images of different classes, their pixelwise maximum.

    Attributes:
        images: Shape (N, C, H, W), in [0, 1].
        labels: The two classes of each, shape (N, 2), int64.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.int64]
