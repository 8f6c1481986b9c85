"""Where the bottleneck fails most."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ae_lightning.judging.drawing.strips import strips
from ae_lightning.judging.drawing.style import names_of
from ae_lightning.judging.picture import Picture
from ae_lightning.judging.picture_case import PictureCase
from ae_lightning.judging.pixels import mse_per_image
from ae_lightning.plain_text import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_PAIRS = 36
"""Images shown at most; the rest are left out."""

MAX_LETTERS = 10
"""Of a file's name, below an image; an ellipsis is as wide as two."""


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
        return worst_reconstructions(
            split.x, split.reconstructions, errors, split.labels, case.class_names, case.key_of
        )


def worst_reconstructions(
    images: NDArray[np.float32],
    reconstructions: NDArray[np.float32],
    errors: NDArray[np.float64],
    labels: NDArray[np.int64] | None = None,
    class_names: Sequence[str] | None = None,
    key_of: Callable[[int], str] | None = None,
    *,
    title: str = "Worst reconstructions, highest error first",
) -> Figure:
    """Show the images with the highest errors, each error and the file's name written below its pair.

    Args:
        images: Inputs in [0, 1], shape (N, C, H, W); the ``MAX_PAIRS`` worst are shown.
        reconstructions: Outputs of the same shape, clipped to [0, 1].
        errors: Mean squared error of each image, shape (N,).
        labels: Class of each image, shape (N,), −1 where missing; written above it.
        class_names: Names by class.
        key_of: Gives what the image at a position is called at its source; None where that is not known.
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
    if key_of is not None:
        below = [f"{text}\n{_shortened(key_of(int(place)))}" for text, place in zip(below, worst, strict=True)]
    kinds = {"input": images[worst], "output": reconstructions[worst]}
    return strips(kinds, names_of(None if labels is None else labels[worst], class_names), below, title)


def _shortened(key: str) -> str:
    """Return what fits of a file's name: its end, where those of many files differ; or the place in an array."""
    path = PurePosixPath(key)
    name = plain(path.name)
    if name.endswith("]"):
        return name[name.rfind("[") :]
    if len(name) > MAX_LETTERS:
        name = plain(path.stem)
    return name if len(name) <= MAX_LETTERS else f"…{name[2 - MAX_LETTERS :]}"
