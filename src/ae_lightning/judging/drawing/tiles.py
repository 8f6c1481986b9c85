"""Many images as one: tiles in rows and columns."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GAP_VALUE = 0.75
"""The grey between tiles: it shows the edge of black images and of white ones."""


def compose(images: NDArray[np.float32], num_columns: int, gap: int = 1) -> NDArray[np.float32]:
    """Lay images out in rows, from left to right and from the top down.

    Args:
        images: Shape (N, C, H, W), clipped to [0, 1]; three channels are colours, of any other
            number the mean is shown as grey.
        num_columns: Tiles in a row.
        gap: Pixels of ``GAP_VALUE`` between tiles, none around them; places that no image fills are white.

    Returns:
        RGB values in [0, 1], shape (rows·(H + gap) − gap, num_columns·(W + gap) − gap, 3).

    Raises:
        ValueError: If there are no images, or they have no four axes.
    """
    if images.ndim != 4 or len(images) == 0:
        raise ValueError(f"images of shape {images.shape}; tiles need (N, C, H, W) with N at least 1")
    tiles = to_rgb(images)
    num, height, width, _ = tiles.shape
    num_rows = math.ceil(num / num_columns)
    cells = np.full((num_rows * num_columns, height + gap, width + gap, 3), GAP_VALUE, dtype=np.float32)
    cells[:num, :height, :width] = tiles
    cells[num:] = 1.0
    rows = cells.reshape(num_rows, num_columns, height + gap, width + gap, 3).transpose(0, 2, 1, 3, 4)
    whole = rows.reshape(num_rows * (height + gap), num_columns * (width + gap), 3)
    return whole[: whole.shape[0] - gap, : whole.shape[1] - gap]


def filled(images: NDArray[np.float32], num: int) -> NDArray[np.float32]:
    """Complete a row with white images, so that what belongs together stays in one column.

    Args:
        images: Shape (N, C, H, W).
        num: Images of the row, at least N.
    """
    return np.concatenate([images, np.ones((num - len(images), *images.shape[1:]), dtype=np.float32)])


def show_tiles(axes: Axes, tiles: NDArray[np.float32], extent: tuple[float, float, float, float] | None = None) -> None:
    """Draw composed tiles with every pixel a sharp square in a thin frame.

    Args:
        axes: Where to draw.
        tiles: From ``compose``.
        extent: Left, right, bottom and top in data units; pixels where None.
    """
    axes.imshow(tiles, interpolation="nearest", vmin=0, vmax=1, extent=extent)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color(str(GAP_VALUE))


def to_rgb(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Make colours of images of any number of channels.

    Args:
        images: Shape (N, C, H, W), clipped to [0, 1]; of any number of channels but three the mean is shown as grey.

    Returns:
        Shape (N, H, W, 3).
    """
    clipped = np.clip(images, 0, 1)
    if clipped.shape[1] != 3:
        clipped = clipped.mean(axis=1, keepdims=True).repeat(3, axis=1)
    return clipped.transpose(0, 2, 3, 1)


def around_grey(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale each row of signed values to images: 0 becomes 0.5, the largest by size 0 or 1.

    Args:
        values: Shape (N, C, H, W).

    Returns:
        Of the same shape, in [0, 1].
    """
    largest = np.abs(values).max(axis=(1, 2, 3), keepdims=True)
    grey: NDArray[np.float32] = 0.5 + 0.5 * values / np.maximum(largest, np.finfo(np.float32).tiny)
    return grey
