"""Where the bottleneck fails most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ae_lightning.judging.drawing.strips import strips
from ae_lightning.judging.drawing.style import names_of
from ae_lightning.judging.picture import Picture
from ae_lightning.judging.picture_case import PictureCase
from ae_lightning.judging.pixels import mse_per_image

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_PAIRS = 36
"""Images shown at most; the rest are left out."""


class WorstReconstructions(Picture):
    """The highest errors: with a tight bottleneck, realistic looking wrong images."""

    name = "worst_reconstructions"
    cost = "cheap"
    needs = frozenset({"reconstructions", "images"})

    def draw(self, case: PictureCase) -> Figure:
        """See ``Picture.draw``."""
        split = case.evaluated
        assert split.reconstructions is not None
        errors = mse_per_image(split.x, split.reconstructions)
        return worst_reconstructions(split.x, split.reconstructions, errors, split.labels, case.class_names)


def worst_reconstructions(
    images: NDArray[np.float32],
    reconstructions: NDArray[np.float32],
    errors: NDArray[np.float64],
    labels: NDArray[np.int64] | None = None,
    class_names: Sequence[str] | None = None,
    *,
    title: str = "Worst reconstructions, highest error first",
) -> Figure:
    """Show the images with the highest errors, each error written below its pair.

    Args:
        images: Inputs in [0, 1], shape (N, C, H, W); the ``MAX_PAIRS`` worst are shown.
        reconstructions: Outputs of the same shape, clipped to [0, 1].
        errors: Mean squared error of each image, shape (N,).
        labels: Class of each image, shape (N,), −1 where missing; written above it.
        class_names: Names by class.
        title: Title of the figure.

    Returns:
        A figure of one axes for every twelve images.

    Raises:
        ValueError: If there are no images or the shapes differ.
    """
    if len(errors) != len(images):
        raise ValueError(f"{len(errors)} errors for {len(images)} images")
    worst = np.argsort(-errors, kind="stable")[:MAX_PAIRS]
    below = [f"mse\n{error:.4f}" for error in errors[worst]]
    kinds = {"input": images[worst], "output": reconstructions[worst]}
    return strips(kinds, names_of(None if labels is None else labels[worst], class_names), below, title)
