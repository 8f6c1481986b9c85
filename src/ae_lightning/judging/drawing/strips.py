"""Images in columns, one kind below the other: inputs over outputs, clean over corrupted over restored."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ae_lightning.judging.drawing.style import LABEL_SIZE, SMALL_SIZE, Margins, new_grid
from ae_lightning.judging.drawing.tiles import compose, filled, show_tiles

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PER_ROW = 12
_TILE_INCHES = 0.85
_LINE_INCHES = 0.2
_LETTER_INCHES = 0.095


def strips(
    kinds: Mapping[str, NDArray[np.float32]],
    above: Sequence[str] | None,
    below: Sequence[str] | None,
    title: str,
) -> Figure:
    """Show several images of each thing, one below the other, twelve things a row.

    Args:
        kinds: Images by the name of their kind, from the top down; shape (N, C, H, W) each.
        above: A word above each column, N in all.
        below: Lines below each column, N in all.
        title: Title of the figure.

    Returns:
        A figure of one axes for every twelve columns.

    Raises:
        ValueError: If there are no images or the shapes differ.
    """
    shapes = {name: images.shape for name, images in kinds.items()}
    num, _, height, width = next(iter(shapes.values()))
    if len(set(shapes.values())) > 1 or num == 0:
        raise ValueError(f"images of shapes {shapes}; one and the same is needed, of at least one image")
    num_columns = min(_PER_ROW, num)
    num_rows = math.ceil(num / num_columns)
    room_above = _LINE_INCHES * (above is not None) + 0.05
    room_below = _LINE_INCHES * max((text.count("\n") + 1 for text in below or ()), default=0) + 0.05
    margins = Margins(
        left=_LETTER_INCHES * max(map(len, kinds)) + 0.2,
        right=0.15,
        bottom=room_below,
        top=room_above + 0.45,
        between_columns=0,
        between_rows=room_above + room_below,
    )
    row_height = len(kinds) * _TILE_INCHES * height / width
    size = (
        num_columns * _TILE_INCHES + margins.left + margins.right,
        num_rows * (row_height + margins.between_rows) + margins.top - room_above,
    )
    figure, grid = new_grid(*size, title, num_rows, 1, margins)
    for row, axes in enumerate(grid):
        part = slice(row * num_columns, (row + 1) * num_columns)
        _show_strip(axes, {name: images[part] for name, images in kinds.items()}, num_columns)
        _write_columns(axes, width, above and above[part], below and below[part])
    return figure


def _show_strip(axes: Axes, kinds: Mapping[str, NDArray[np.float32]], num_columns: int) -> None:
    height = next(iter(kinds.values())).shape[2]
    show_tiles(axes, compose(np.concatenate([filled(images, num_columns) for images in kinds.values()]), num_columns))
    centres = [(height - 1) / 2 + row * (height + 1) for row in range(len(kinds))]
    axes.set_yticks(centres, list(kinds), fontsize=LABEL_SIZE)
    axes.tick_params(length=0)


def _write_columns(axes: Axes, width: int, above: Sequence[str] | None, below: Sequence[str] | None) -> None:
    for texts, is_above in ((above, True), (below, False)):
        for column, text in enumerate(texts or ()):
            axes.annotate(
                text,
                xy=((width - 1) / 2 + column * (width + 1), 1.0 if is_above else 0.0),
                xycoords=("data", "axes fraction"),
                xytext=(0, 2 if is_above else -2),
                textcoords="offset points",
                ha="center",
                va="bottom" if is_above else "top",
                fontsize=SMALL_SIZE,
                # A class may be called "$0-50%".
                parse_math=False,
            )
