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

_SSIM_SIGMA = 1.5
# Per image, torchmetrics holds five padded maps and as many filtered ones.
_SSIM_COPIES = 12


class StructuralSimilarity(Measure):
    """Structural similarity, averaged over the images."""

    name = "ssim"
    metrics: ClassVar[Mapping[str, Direction]] = {"ssim": "higher"}
    needs = frozenset({"reconstructions", "images", "three pixels a side"})

    def compute(self, case: Case) -> dict[str, float]:
        """See ``Measure.compute``."""
        return {"ssim": ssim(*case.pixels)}


def ssim(images: NDArray[np.float32], reconstructions: NDArray[np.float32]) -> float:
    """Structural similarity on a data range of 1, averaged over the images (Wang et al. 2004).

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
    import torch
    from torchmetrics.functional.image import structural_similarity_index_measure

    require_same_shape(images, reconstructions)
    sigma = _ssim_sigma(min(images.shape[2:]))
    total = 0.0
    for rows in chunks(len(images), _SSIM_COPIES * images[0].size):
        scores = structural_similarity_index_measure(
            torch.as_tensor(reconstructions[rows]),
            torch.as_tensor(images[rows]),
            gaussian_kernel=True,
            sigma=sigma,
            data_range=1.0,
            reduction="sum",
        )
        assert isinstance(scores, torch.Tensor)
        total += float(scores)
    return total / len(images)


def _ssim_sigma(side: int) -> float:
    if side < MIN_SSIM_SIDE:
        raise ValueError(f"ssim needs images of at least 3 × 3 pixels, and a side here has {side}")
    # torchmetrics gives a window of σ the radius int(3.5 σ + 0.5), which is 5 at σ = 1.5.
    radius = (side - 1) // 2
    return _SSIM_SIGMA if radius >= 5 else radius / 3.5
