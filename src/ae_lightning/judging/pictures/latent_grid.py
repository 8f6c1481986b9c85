"""Digits over latent: what the decoder shows at every place of a two-dimensional code space."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ae_lightning.judging.chunks import chunk_size
from ae_lightning.judging.drawing.style import LABEL_SIZE, SMALL_SIZE, names_of, new_figure
from ae_lightning.judging.drawing.tiles import compose, show_tiles
from ae_lightning.judging.picture import Picture
from ae_lightning.judging.picture_case import PictureCase

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_GRID_INCHES = 9.0
_NUM_TICKS = 9
# Images this small run into one another without a line between them.
_SMALL_SIDE = 16


class LatentGrid(Picture):
    """What a grid of 2-D codes decodes to; of a model that is given classes, as of the first."""

    name = "latent_grid"
    cost = "cheap"
    needs = frozenset({"model", "images", "two dimensions"})

    def draw(self, case: PictureCase) -> Figure:
        """See ``Picture.draw``."""
        side = grid_side(chunk_size(case.evaluated.x.shape[1:]))
        if not case.model.num_given:
            return latent_grid(case.decode(grid_codes(side)))
        decoded = case.decode(grid_codes(side), np.array(0))
        name = (names_of(np.array([0]), case.class_names) or ["0"])[0]
        return latent_grid(decoded, title=f"Decoded images over the latent space, of class {name}")


def grid_side(num_at_once: int) -> int:
    """Give the number of codes along each axis: 30, or fewer where no more than so many are to be decoded at once."""
    return max(2, min(30, math.isqrt(num_at_once)))


def grid_codes(n: int = 30, low: float = -4.0, high: float = 4.0) -> NDArray[np.float32]:
    """Give the codes whose decoded images ``latent_grid`` shows, in the order it expects.

    Args:
        n: Codes along each axis.
        low: Least value of z₁ and z₂.
        high: Greatest value of z₁ and z₂.

    Returns:
        Shape (n·n, 2): rows from the greatest z₂ down, within a row z₁ from the least up.
    """
    values = np.linspace(low, high, n, dtype=np.float32)
    first, second = np.meshgrid(values, values[::-1])
    return np.stack([first.ravel(), second.ravel()], axis=1)


def latent_grid(
    decoded: NDArray[np.float32],
    extent: tuple[float, float] = (-4.0, 4.0),
    title: str = "Decoded images over the latent space",
) -> Figure:
    """Show decoded images where their codes lie: z₁ to the right, z₂ up.

    Args:
        decoded: Images of ``grid_codes(n, *extent)``, shape (n·n, C, H, W), clipped to [0, 1].
        extent: Least and greatest value of z₁ and z₂, at the centres of the outermost images.
        title: Title of the figure.

    Returns:
        A figure of one axes in the units of the code.

    Raises:
        ValueError: If the number of images is not a square.
    """
    n = math.isqrt(len(decoded))
    if n * n != len(decoded) or n == 0:
        raise ValueError(f"{len(decoded)} decoded images do not fill a square grid")
    low, high = extent
    height, width = decoded.shape[2:]
    gap = int(min(height, width) <= _SMALL_SIDE)
    figure = new_figure(_GRID_INCHES, (_GRID_INCHES - 0.6) * height / width + 0.8, title)
    axes = figure.subplots()
    half_step = (high - low) / (2 * max(1, n - 1))
    right, up = half_step * width / (width + gap), half_step * height / (height + gap)
    show_tiles(axes, compose(decoded, n, gap), (low - right, high + right, low - up, high + up))
    axes.set_aspect((height + gap) / (width + gap))
    ticks = np.linspace(low, high, _NUM_TICKS)
    axes.set_xticks(ticks)
    axes.set_yticks(ticks)
    axes.tick_params(labelsize=SMALL_SIZE)
    axes.set_xlabel("z₁", fontsize=LABEL_SIZE)
    axes.set_ylabel("z₂", fontsize=LABEL_SIZE)
    return figure
