"""How much of a corruption the bottleneck takes away."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ae_lightning.evaluation.coder import Coder
from ae_lightning.evaluation.pixels import psnr

MAX_CORRUPTED = 10_000
"""Images that are corrupted; of larger splits a fixed random sample."""


@dataclass(frozen=True)
class CorruptedImages:
    """Images before and after a corruption.

    Attributes:
        clean: Shape (N, C, H, W), in [0, 1].
        corrupted: Of the same shape, in [0, 1].
    """

    clean: NDArray[np.float32]
    corrupted: NDArray[np.float32]


def denoising_psnr_gain(images: CorruptedImages, coder: Coder) -> float:
    """PSNR of the reconstructions of corrupted images minus that of the corrupted images themselves.

    Args:
        images: Clean and corrupted images.
        coder: Restores the corrupted ones.

    Returns:
        The gain in dB, see ``psnr``; negative where the reconstruction is further from the clean image.
    """
    restored = coder.restore(images.corrupted)
    return psnr(images.clean, restored) - psnr(images.clean, images.corrupted)
