"""Clean, corrupted, restored: what an autoencoder makes of damaged images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ae_lightning.evaluation.pixels import psnr_per_image
from ae_lightning.plots.strips import strips
from ae_lightning.plots.style import names_of

MAX_SHOWN = 24
"""Images shown at most; the rest are left out."""


def denoising(
    clean: NDArray[np.float32],
    corrupted: NDArray[np.float32],
    restored: NDArray[np.float32],
    labels: NDArray[np.int64] | None = None,
    class_names: Sequence[str] | None = None,
    *,
    title: str = "Denoising",
) -> Figure:
    """Show images, what corruption made of them, and what is restored; below, the PSNR before and after.

    Args:
        clean: Images in [0, 1], shape (N, C, H, W); the first ``MAX_SHOWN`` are shown.
        corrupted: Of the same shape.
        restored: Reconstructions of the corrupted images, of the same shape.
        labels: Class of each image, shape (N,), −1 where missing; written above it.
        class_names: Names by class.
        title: Title of the figure, which says what the corruption was.

    Returns:
        A figure of one axes for every twelve images.

    Raises:
        ValueError: If there are no images or the shapes differ.
    """
    shown = slice(0, MAX_SHOWN)
    before, after = (psnr_per_image(clean[shown], images[shown]) for images in (corrupted, restored))
    below = [f"{low:.1f} →\n{high:.1f} dB" for low, high in zip(before, after, strict=True)]
    kinds = {"clean": clean[shown], "corrupted": corrupted[shown], "restored": restored[shown]}
    return strips(kinds, names_of(None if labels is None else labels[shown], class_names), below, title)
