"""Images in a grid whose rows and columns have names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ae_lightning.judging.drawing.style import LABEL_SIZE, SMALL_SIZE, new_figure
from ae_lightning.judging.drawing.tiles import compose, show_tiles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TILE_INCHES = 0.85


def named_grid(
    images: NDArray[np.float32], row_names: Sequence[str], column_names: Sequence[str], title: str
) -> Figure:
    """Show images in a grid, row names on the left, column names above.

    Args:
        images: Shape (R, S, C, H, W), clipped to [0, 1].
        row_names: R names.
        column_names: S names.
        title: Title of the figure.

    Returns:
        A figure of one axes.

    Raises:
        ValueError: If there are no images, or names for another number of rows or columns.
    """
    num_rows, num_columns, _, height, width = images.shape
    if (num_rows, num_columns) != (len(row_names), len(column_names)):
        raise ValueError(f"{len(row_names)} × {len(column_names)} names for {num_rows} × {num_columns} images")
    tiles = compose(images.reshape(-1, *images.shape[2:]), num_columns)
    figure = new_figure(num_columns * _TILE_INCHES + 1.2, num_rows * _TILE_INCHES * height / width + 0.9, title)
    axes = figure.subplots()
    show_tiles(axes, tiles)
    axes.xaxis.tick_top()
    axes.set_xticks(_centres(num_columns, width), column_names, fontsize=SMALL_SIZE, parse_math=False)
    axes.set_yticks(_centres(num_rows, height), row_names, fontsize=LABEL_SIZE, parse_math=False)
    axes.tick_params(length=0)
    return figure


def _centres(num: int, side: int) -> list[float]:
    return [(side - 1) / 2 + place * (side + 1) for place in range(num)]
