"""Each dimension of the code against the prior: does the model use it, and does it fit?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ae_lightning.judging.chunks import num_within
from ae_lightning.judging.drawing.style import PALETTE, SMALL_SIZE, Margins, dimension_name, new_grid
from ae_lightning.judging.picture import Picture
from ae_lightning.judging.picture_case import PictureCase

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_DIMENSIONS = 32
"""Dimensions shown at most: those whose codes vary most."""

_PER_ROW = 8
_NUM_BINS = 50
_NUM_PRIOR_BINS = 30
_HIGHEST = 3.0
_MARGINS = Margins(left=0.4, right=0.15, bottom=0.75, top=0.7, between_columns=0.2, between_rows=0.55)

NUM_PRIOR_CODES, MIN_PRIOR_CODES = 100_000, 1_000
MAX_PRIOR_BYTES = 64 * 2**20
"""Of all codes that are drawn from the prior."""


class CodeHistograms(Picture):
    """Each dimension's codes against the prior."""

    name = "code_histograms"
    needs = frozenset({"model"})

    def draw(self, case: PictureCase) -> Figure:
        """See ``Picture.draw``."""
        codes = case.evaluated.codes
        prior = case.model.features(case.model.draw_prior(num_prior_codes(codes.shape[1]), case.seed))
        return code_histograms(codes, prior)


def code_histograms(
    codes: NDArray[np.float32], prior: NDArray[np.float32], title: str = "Codes against the prior"
) -> Figure:
    """Show a histogram of each dimension's codes, and the prior's density as a line over it.

    Args:
        codes: Shape (N, d).
        prior: Draws from the prior, shape (M, d); some ten thousand make a smooth line.
        title: Title of the figure.

    Returns:
        A figure of one axes a dimension, in increasing order. Densities above three times the prior's highest are cut
        off, so that the peak of a collapsed dimension does not flatten the prior.

    Raises:
        ValueError: If there are no codes or no draws, or they differ in size.
    """
    if min(len(codes), len(prior)) == 0 or codes.shape[1] != prior.shape[1]:
        raise ValueError(f"codes of shape {codes.shape} against a prior of {prior.shape}")
    deviations = codes.std(axis=0, dtype=np.float64)
    shown = np.sort(np.argsort(-deviations, kind="stable")[:MAX_DIMENSIONS])
    num_columns = min(_PER_ROW, len(shown))
    num_rows = math.ceil(len(shown) / num_columns)
    size = max(5.0, 1.9 * num_columns), 1.7 * num_rows + 1
    figure, grid = new_grid(*size, _title(title, len(shown), codes.shape[1]), num_rows, num_columns, _MARGINS)
    for axes, index in zip(grid, shown, strict=False):
        _dimension(axes, codes[:, index], prior[:, index])
        axes.set_title(_moments(int(index), codes[:, index]), fontsize=SMALL_SIZE)
    for axes in grid[len(shown) :]:
        axes.set_axis_off()
    handles, names = grid[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="lower center", ncols=2, fontsize=SMALL_SIZE)
    figure.supylabel("density", x=0.1 / size[0], ha="left", fontsize=SMALL_SIZE)
    return figure


def _dimension(axes: Axes, codes: NDArray[np.float32], prior: NDArray[np.float32]) -> None:
    both = np.stack([np.quantile(values, [0.001, 0.999]) for values in (codes, prior)])
    edges = np.linspace(both.min(), both.max(), _NUM_BINS + 1)
    # The prior's own bins, so that its line is as fine where the codes spread much wider.
    density, prior_edges = np.histogram(prior, _NUM_PRIOR_BINS, tuple(both[1]), density=True)
    # One shape, where `hist` would lay out fifty rectangles.
    axes.stairs(np.histogram(codes, edges, density=True)[0], edges, fill=True, color=PALETTE[4], label="codes")
    axes.plot((prior_edges[1:] + prior_edges[:-1]) / 2, density, color=PALETTE[5], linewidth=1.6, label="prior")
    axes.set_ylim(0, min(axes.get_ylim()[1], _HIGHEST * float(density.max())))
    axes.set_yticks([])
    axes.tick_params(labelsize=SMALL_SIZE - 1)


def _moments(index: int, codes: NDArray[np.float32]) -> str:
    # Adding 0 makes a rounded −0 a 0.
    mean = f"{round(float(codes.mean(dtype=np.float64)), 2) + 0.0:.2f}".replace("-", "−")
    return f"{dimension_name(index)}: mean {mean}, std {codes.std(dtype=np.float64):.2f}"


def _title(title: str, num_shown: int, num_dimensions: int) -> str:
    if num_shown == num_dimensions:
        return title
    return f"{title} (the {num_shown} of {num_dimensions} dimensions that vary most)"


def num_prior_codes(latent_dim: int) -> int:
    """Return how many codes to draw from the prior: as many as memory for large codes allows."""
    return max(MIN_PRIOR_CODES, min(NUM_PRIOR_CODES, num_within(MAX_PRIOR_BYTES, (latent_dim,))))
