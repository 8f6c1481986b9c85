"""Whether reconstructions have the structure of their images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ae_lightning.judging.case import Case
from ae_lightning.judging.chunks import chunks
from ae_lightning.judging.measure import Direction, Measure
from ae_lightning.judging.pixels import MIN_SSIM_SIDE, require_same_shape

_SIDE = 11
_SIGMA = 1.5
# K₁ and K₂ of the paper, at a data range of 1.
_C1, _C2 = 0.01**2, 0.03**2
# Maps of an image that are held at once, five of them twice while they are filtered.
_NUM_COPIES = 12


class StructuralSimilarity(Measure):
    """Structural similarity, averaged over the images."""

    name = "ssim"
    goal = "reconstruct"
    metrics: ClassVar[Mapping[str, Direction]] = {"ssim": "higher"}
    needs = frozenset({"reconstructions", "images", "three pixels a side"})

    def compute(self, case: Case) -> dict[str, float]:
        """See ``Measure.compute``."""
        return {"ssim": ssim(*case.pixels)}


def ssim(images: NDArray[np.float32], reconstructions: NDArray[np.float32]) -> float:
    """Structural similarity on a data range of 1, averaged over the images (Wang et al. 2004).

    As the paper has it, the mean is over the windows that lie within the image: nothing is padded. Of colours it is
    over the channels too.

    The window is the paper's Gaussian, σ = 1.5 and 11 × 11 pixels, where the image's shorter side is at
    least 11. On smaller images it shrinks to the widest odd window that fits, with σ in proportion:
    7 × 7 and σ = 0.86 for a side of 8. Values at different sides below 11 are thus not comparable.

    Args:
        images: Targets in [0, 1], shape (N, C, H, W), sides of at least 3 pixels.
        reconstructions: Of the same shape.

    Returns:
        The mean SSIM, at most 1.

    Raises:
        ValueError: If the shapes differ, or a side is below 3 pixels.
    """
    require_same_shape(images, reconstructions)
    window = _window(min(images.shape[2:]))
    pieces = chunks(len(images), _NUM_COPIES * images[0].size)
    return sum(_sum_of_ssim(images[rows], reconstructions[rows], window) for rows in pieces) / len(images)


def _window(side: int) -> NDArray[np.float32]:
    """Return the weights of the window along one side; their products are those of the window."""
    if side < MIN_SSIM_SIDE:
        raise ValueError(f"ssim needs images of at least 3 × 3 pixels, and a side here has {side}")
    radius = (min(side, _SIDE) - 1) // 2
    sigma = _SIGMA if side >= _SIDE else radius / 3.5
    weights = np.exp(-np.square(np.arange(-radius, radius + 1) / sigma) / 2)
    return np.asarray(weights / weights.sum(), dtype=np.float32)


def _sum_of_ssim(x: NDArray[np.float32], y: NDArray[np.float32], window: NDArray[np.float32]) -> float:
    """Return the sum over images of their mean SSIM, shapes (B, C, H, W)."""
    import torch
    from torch.nn.functional import conv2d

    maps = torch.from_numpy(np.stack([x, y, x * x, y * y, x * y])).flatten(0, 2)[:, None]
    weights = torch.from_numpy(window)[None, None, None]
    filtered = conv2d(conv2d(maps, weights), weights.mT)
    mean_x, mean_y, square_x, square_y, product = filtered.reshape(5, *x.shape[:2], *filtered.shape[2:])
    variances = square_x - mean_x**2 + square_y - mean_y**2
    likeness = (2 * mean_x * mean_y + _C1) * (2 * (product - mean_x * mean_y) + _C2)
    similarity = likeness / ((mean_x**2 + mean_y**2 + _C1) * (variances + _C2))
    return float(similarity.double().flatten(1).mean(dim=1).sum())
