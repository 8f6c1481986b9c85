"""What the filters of a convolution look like."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ae_lightning.judging.drawing.style import LABEL_SIZE, new_figure
from ae_lightning.judging.drawing.tiles import around_grey, compose, show_tiles
from ae_lightning.judging.picture import Picture
from ae_lightning.judging.picture_case import PictureCase

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_FILTERS = 64
"""Filters shown at most by ``filters``: the first ones."""

MAX_INPUTS = 32
"""Of a filter that sees more than an image's channels, input channels shown at most: the first ones."""


class Filters(Picture):
    """The kernels of the first convolution, or of the chosen one."""

    name = "filters"
    needs = frozenset({"images"})

    def draw(self, case: PictureCase) -> Figure | None:
        """See ``Picture.draw``."""
        convolutions = case.convolutions()
        if not convolutions:
            return None
        number = case.convolution or 1
        title = f"Filters of convolution {number} of {len(convolutions)} (grey: 0, each filter by its own scale)"
        return filters(convolutions[number - 1].kernels, title)


def filters(weights: NDArray[np.float32], title: str = "Filters") -> Figure:
    """Show the kernels of a convolution; grey is 0, each filter's largest weight by size is black or white.

    Args:
        weights: Shape (F, C, k, k). Of one channel or three, each filter is an image; of other numbers, a row of
            one kernel an input channel.
        title: Title of the figure.

    Returns:
        A figure of one axes.
    """
    shown = weights[:MAX_FILTERS]
    are_images = shown.shape[1] in (1, 3)
    if not are_images:
        shown = shown[: MAX_FILTERS // 2, :MAX_INPUTS]
    images = around_grey(shown) if are_images else around_grey(shown).reshape(-1, 1, *shown.shape[2:])
    num_columns = math.ceil(math.sqrt(len(images))) if are_images else shown.shape[1]
    tiles = compose(images, num_columns)
    figure = new_figure(7, 7 * tiles.shape[0] / tiles.shape[1] + 0.6, title)
    axes = figure.subplots()
    show_tiles(axes, tiles)
    if not are_images:
        axes.set_ylabel(f"filters 1 to {len(shown)}", fontsize=LABEL_SIZE)
        axes.set_xlabel(f"input channels 1 to {shown.shape[1]}", fontsize=LABEL_SIZE)
    return figure
