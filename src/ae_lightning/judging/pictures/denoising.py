"""Clean, corrupted, restored: what an autoencoder makes of damaged images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ae_lightning.judging.drawing.strips import strips
from ae_lightning.judging.drawing.style import names_of
from ae_lightning.judging.picture import Picture
from ae_lightning.judging.picture_case import PictureCase
from ae_lightning.judging.pixels import psnr_per_image

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_SHOWN = 24
"""Images shown at most; the rest are left out."""


class Denoising(Picture):
    """Clean, corrupted and restored images: the variant's own corruption, or else Gaussian noise."""

    name = "denoising"
    needs = frozenset({"model", "images"})

    def draw(self, case: PictureCase) -> Figure:
        """See ``Picture.draw``."""
        split = case.evaluated.sample(MAX_SHOWN, seed=0)
        corrupted = case.corruption.apply(split.x, case.seed)
        restored = case.model.restore(corrupted, split.labels, split.x)
        title = f"Denoising: {case.corruption.description}"
        return denoising(split.x, corrupted, restored, split.labels, case.class_names, title=title)


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
