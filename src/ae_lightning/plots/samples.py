"""Drawn images: what the decoder makes of codes that no image gave."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ae_lightning.plots.style import new_figure
from ae_lightning.plots.tiles import compose, show_tiles

MAX_SAMPLES = 144
"""Images shown at most; the rest are left out."""

_GRID_INCHES = 8.0


def samples(images: NDArray[np.float32], title: str = "Samples") -> Figure:
    """Show drawn images in a grid as square as their number allows.

    Args:
        images: Decoded draws, shape (N, C, H, W), clipped to [0, 1]; the first ``MAX_SAMPLES`` are shown.
        title: Title of the figure, which says where the codes were drawn from.

    Returns:
        A figure of one axes.

    Raises:
        ValueError: If there are no images.
    """
    shown = images[:MAX_SAMPLES]
    tiles = compose(shown, max(1, math.ceil(math.sqrt(len(shown)))))
    figure = new_figure(_GRID_INCHES, _GRID_INCHES * tiles.shape[0] / tiles.shape[1] + 0.35, title)
    show_tiles(figure.subplots(), tiles)
    return figure
