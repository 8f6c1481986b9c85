"""The parts of images that excite each filter the most, and what the filter sees in them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ae_lightning.judging.drawing.style import SMALL_SIZE, Margins, new_grid, spread
from ae_lightning.judging.drawing.tiles import around_grey, compose, show_tiles
from ae_lightning.judging.picture import Picture
from ae_lightning.judging.picture_case import PictureCase

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PER_ROW = 2
_INCHES = 12.0
_MARGINS = Margins(left=0.65, right=0.1, bottom=0.1, top=0.5, between_columns=0.7, between_rows=0.1)
# Fainter parts of a projection look like the grey around them.
_LEAST_SHARE = 0.05

MAX_IMAGES = 1_000
"""Images among which those are sought that excite a filter the most; of larger splits a fixed random subset."""

NUM_FILTERS = 16
NUM_PARTS = 8


class Activations(Picture):
    """What excites each filter of the last convolution, or of the chosen one, the most."""

    name = "activations"
    needs = frozenset({"images"})

    def draw(self, case: PictureCase) -> Figure | None:
        """See ``Picture.draw``."""
        convolutions = case.convolutions()
        if not convolutions:
            return None
        number = case.convolution or len(convolutions)
        convolution = convolutions[number - 1]
        images = case.evaluated.x[spread(len(case.evaluated), MAX_IMAGES)]
        peaks = convolution.peaks(images)
        chosen = np.sort(np.argsort(-peaks.max(axis=0), kind="stable")[:NUM_FILTERS])
        strongest = images[np.argsort(-peaks[:, chosen], axis=0, kind="stable")[:NUM_PARTS].T]
        seen = [convolution.project_back(own, int(index)) for index, own in zip(chosen, strongest, strict=True)]
        title = f"What excites the filters of convolution {number} of {len(convolutions)} the most, and what they see"
        return activations(strongest, np.stack(seen), chosen.tolist(), title)


def activations(
    images: NDArray[np.float32],
    projections: NDArray[np.float32],
    filter_numbers: Sequence[int],
    title: str = "What excites each filter the most",
) -> Figure:
    """Show parts of images over the activations projected back to their pixels (Zeiler & Fergus 2014, figure 2).

    Args:
        images: Those that excite each filter the most, the strongest first, shape (F, K, C, H, W), clipped to [0, 1].
        projections: Of the same shape, 0 outside what the filter saw; shown with 0 as grey.
        filter_numbers: Which filters they are, from 0, F in all.
        title: Title of the figure.

    Returns:
        A figure of one axes a filter. All parts have one size: the smallest that holds every projection but for
        its edges fainter than a twentieth of its peak.

    Raises:
        ValueError: If the shapes differ.
    """
    if images.shape != projections.shape or len(images) != len(filter_numbers):
        raise ValueError(f"{images.shape} images, {projections.shape} projections, {len(filter_numbers)} filters")
    num_filters, num_parts = images.shape[:2]
    parts, seen = (part.reshape(num_filters, num_parts, *part.shape[1:]) for part in _cut(images, projections))
    num_rows = math.ceil(num_filters / _PER_ROW)
    tile_inches = _INCHES / _PER_ROW / (num_parts + 1) * parts.shape[3] / parts.shape[4]
    height = num_rows * (2 * tile_inches + 0.1) + 0.6
    figure, grid = new_grid(_INCHES, height, title, num_rows, _PER_ROW, _MARGINS)
    for axes, number, own, projected in zip(grid, filter_numbers, parts, seen, strict=False):
        _show_filter(axes, number, own, projected)
    for axes in grid[num_filters:]:
        axes.set_axis_off()
    return figure


def _show_filter(axes: Axes, number: int, parts: NDArray[np.float32], projected: NDArray[np.float32]) -> None:
    height = parts.shape[2]
    show_tiles(axes, compose(np.concatenate([np.clip(parts, 0, 1), around_grey(projected)]), len(parts)))
    centres = [(height - 1) / 2, (height - 1) / 2 + height + 1]
    axes.set_yticks(centres, [f"filter {number + 1}", "sees"], fontsize=SMALL_SIZE)
    axes.tick_params(length=0)


def _cut(
    images: NDArray[np.float32], projections: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cut what each projection covers out of it and its image, all to the size of the largest."""
    flat_images, flat_projections = (stack.reshape(-1, *stack.shape[2:]) for stack in (images, projections))
    sizes = np.abs(flat_projections).max(axis=1)
    covered = sizes > _LEAST_SHARE * sizes.max(axis=(1, 2), keepdims=True)
    tops, height = _spans(covered.any(axis=2))
    lefts, width = _spans(covered.any(axis=1))
    cuts = [
        np.stack(
            [one[:, top : top + height, left : left + width] for one, top, left in zip(stack, tops, lefts, strict=True)]
        )
        for stack in (flat_images, flat_projections)
    ]
    return cuts[0], cuts[1]


def _spans(covered: NDArray[np.bool_]) -> tuple[NDArray[np.int64], int]:
    """Give where to start in each row to cover what is set in it, and one length that does for all rows."""
    side = covered.shape[1]
    firsts = np.where(covered.any(axis=1), covered.argmax(axis=1), 0)
    ends = np.where(covered.any(axis=1), side - covered[:, ::-1].argmax(axis=1), side)
    lit = covered.any(axis=1)
    length = int((ends - firsts)[lit].max()) if lit.any() else side
    centres = (firsts + ends) // 2
    return np.clip(centres - length // 2, 0, side - length), length
