"""Inputs over outputs, and over PCA's: what the bottleneck lets through, and what as many components would."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ae_lightning.judging.drawing.strips import strips
from ae_lightning.judging.drawing.style import names_of
from ae_lightning.judging.picture import Picture
from ae_lightning.judging.picture_case import PictureCase

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_PAIRS = 36
"""Images shown at most; the rest are left out."""


class Reconstructions(Picture):
    """Inputs over outputs, and over PCA's where it stands beside the model."""

    name = "reconstructions"
    cost = "cheap"
    needs = frozenset({"reconstructions", "images"})

    def draw(self, case: PictureCase) -> Figure:
        """See ``Picture.draw``."""
        # From all over the split: a folder's lies class by class.
        split = case.evaluated.sample(MAX_PAIRS, seed=0)
        assert split.reconstructions is not None
        pca = None if case.pca is None else case.pca().restore(split.x)
        return reconstructions(split.x, split.reconstructions, split.labels, case.class_names, pca=pca)


def reconstructions(
    images: NDArray[np.float32],
    reconstructions: NDArray[np.float32],
    labels: NDArray[np.int64] | None = None,
    class_names: Sequence[str] | None = None,
    title: str = "Reconstructions",
    pca: NDArray[np.float32] | None = None,
) -> Figure:
    """Show images, and under each its reconstruction, or two.

    Args:
        images: Inputs in [0, 1], shape (N, C, H, W); the first ``MAX_PAIRS`` are shown.
        reconstructions: Outputs of the same shape, clipped to [0, 1].
        labels: Class of each image, shape (N,), −1 where missing; written above it.
        class_names: Names by class.
        title: Title of the figure.
        pca: PCA's outputs of the same shape, clipped to [0, 1]; None for no row of them.

    Returns:
        A figure of one axes for every twelve images.

    Raises:
        ValueError: If there are no images or the shapes differ.
    """
    kinds = {"input": images, "output": reconstructions, **({} if pca is None else {"PCA": pca})}
    kinds = {name: rows[:MAX_PAIRS] for name, rows in kinds.items()}
    return strips(kinds, names_of(None if labels is None else labels[:MAX_PAIRS], class_names), None, title)
