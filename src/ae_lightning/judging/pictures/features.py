"""Features of vectors, input against reconstruction: what the bottleneck lets through, and which it loses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ae_lightning.judging.drawing.style import LABEL_SIZE, PALETTE, SMALL_SIZE, new_figure, spread
from ae_lightning.judging.picture import Picture
from ae_lightning.judging.picture_case import PictureCase
from ae_lightning.judging.pixels import require_same_shape

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_SCATTERS = 24
"""Features shown sample by sample at most: those that are reconstructed worst."""

MAX_BARS = 100
"""Features that have a bar at most: those that are reconstructed worst."""

MAX_POINTS = 500
"""Samples shown of each feature at most; of larger splits a fixed random subset."""

MAX_NAME = 18
"""Letters of a name that are shown."""

MAX_ROW = 90
"""Letters of names that stand beside each other; of more, all are turned."""

_PER_ROW = 6


class Features(Picture):
    """Each feature's inputs against its reconstructions: what `reconstructions` is of images."""

    name = "features"
    cost = "cheap"
    needs = frozenset({"reconstructions", "vectors"})

    def draw(self, case: PictureCase) -> Figure:
        """See ``Picture.draw``."""
        return features(*case.case.pixels, names=case.feature_names)


def unexplained_shares(x: NDArray[np.float32], reconstructions: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the share of each feature's variance that its reconstructions lack: mse / variance.

    Args:
        x: Shape (N, D).
        reconstructions: Of the same shape.

    Returns:
        Shape (D,): 0 at best, 1 where the mean would do as well; of a feature that never varies, 0 where it is
        reconstructed and infinity where it is not.

    Raises:
        ValueError: If the shapes differ.
    """
    require_same_shape(x, reconstructions)
    errors = np.square(reconstructions - x).mean(axis=0, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = errors / x.var(axis=0, dtype=np.float64)
    return np.where(errors == 0, 0.0, shares)


def features(
    x: NDArray[np.float32],
    reconstructions: NDArray[np.float32],
    title: str = "Features",
    names: Sequence[str] | None = None,
) -> Figure:
    """Show how much of each feature is lost, and of those that lose most every sample.

    Args:
        x: Vectors as scaled, shape (N, D).
        reconstructions: Of the same shape.
        title: Title of the figure.
        names: Of the features; None for their numbers.

    Returns:
        A figure of one axes with a bar a feature, and one with input against reconstruction for each of at most
        ``MAX_SCATTERS``, in the order of the features. Points on the diagonal are reconstructed exactly.

    Raises:
        ValueError: If the shapes differ.
    """
    shares = unexplained_shares(x, reconstructions)
    worst = np.argsort(-shares, kind="stable")
    scattered, barred = np.sort(worst[:MAX_SCATTERS]), np.sort(worst[:MAX_BARS])
    rows = spread(len(x), MAX_POINTS)
    num_columns = min(_PER_ROW, len(scattered))
    num_rows = math.ceil(len(scattered) / num_columns)
    figure = new_figure(max(6.0, 2.1 * num_columns), 3.0 + 2.1 * num_rows, title)
    above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=[2.6, 2.1 * num_rows])[:, 0]
    short = None if names is None else [_short(name) for name in names]
    _bars(above.subplots(), shares[barred], barred, short, len(shares))
    grid = below.subplots(num_rows, num_columns, squeeze=False).ravel()
    for axes, index in zip(grid, scattered, strict=False):
        _scatter(axes, x[rows, index], reconstructions[rows, index])
        called = f"feature {index + 1}: " if short is None else f"{short[index]}\n"
        axes.set_title(f"{called}{_percent(shares[index])} lost", fontsize=SMALL_SIZE, parse_math=False)
    for axes in grid[len(scattered) :]:
        axes.set_axis_off()
    shown = "" if len(scattered) == len(shares) else f" (the {len(scattered)} of {len(shares)} that lose most)"
    below.supxlabel(f"input, as scaled{shown}", fontsize=LABEL_SIZE)
    below.supylabel("reconstruction", fontsize=LABEL_SIZE)
    return figure


def _bars(
    axes: Axes, shares: NDArray[np.float64], numbers: NDArray[np.int64], names: Sequence[str] | None, num_features: int
) -> None:
    # One feature that is lost many times over would flatten all others.
    axes.bar(np.arange(len(shares)), np.minimum(shares, 1.5), color=PALETTE[0])
    axes.axhline(1.0, color="grey", linewidth=1, linestyle=":")
    axes.set_ylim(0, 1.05 * max(1.0, float(np.minimum(shares, 1.5).max())))
    step = math.ceil(len(shares) / 30)
    called = [str(number + 1) if names is None else names[number] for number in numbers[::step]]
    axes.set_xticks(np.arange(0, len(shares), step), called, parse_math=False)
    if sum(map(len, called)) > MAX_ROW:
        for label in axes.get_xticklabels():
            label.set(rotation=45, horizontalalignment="right", rotation_mode="anchor")
    axes.tick_params(labelsize=SMALL_SIZE)
    left_out = "" if len(shares) == num_features else f" (the {len(shares)} of {num_features} that lose most)"
    axes.set_xlabel(f"feature{left_out}", fontsize=LABEL_SIZE)
    axes.set_ylabel("share of variance lost", fontsize=SMALL_SIZE)


def _scatter(axes: Axes, inputs: NDArray[np.float32], outputs: NDArray[np.float32]) -> None:
    low, high = float(min(inputs.min(), outputs.min())), float(max(inputs.max(), outputs.max()))
    margin = 0.05 * (high - low) or 1.0
    axes.plot([low, high], [low, high], color="grey", linewidth=1, linestyle=":")
    axes.scatter(inputs, outputs, s=6, color=PALETTE[0], alpha=0.5, linewidths=0)
    axes.set_xlim(low - margin, high + margin)
    axes.set_ylim(low - margin, high + margin)
    axes.set_aspect("equal")
    axes.locator_params(nbins=3)
    axes.tick_params(labelsize=SMALL_SIZE - 1)


def _short(name: str) -> str:
    return name if len(name) <= MAX_NAME else f"{name[: MAX_NAME - 1]}…"


def _percent(share: float) -> str:
    return f"{share:.0%}" if share < 10 else "over 1,000 %"
