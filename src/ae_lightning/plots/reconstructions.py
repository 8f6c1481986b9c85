"""Inputs over outputs: what the bottleneck lets through, and where it fails most."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ae_lightning.plots.style import LABEL_SIZE, SMALL_SIZE, class_name, new_figure
from ae_lightning.plots.tiles import compose, show_tiles

MAX_PAIRS = 36
"""Images shown at most; the rest are left out."""

_PAIRS_PER_ROW = 12
_TILE_INCHES = 0.85


def reconstructions(
    images: NDArray[np.float32],
    reconstructions: NDArray[np.float32],
    labels: NDArray[np.int64] | None = None,
    class_names: Sequence[str] | None = None,
    title: str = "Reconstructions",
) -> Figure:
    """Show images, and under each its reconstruction.

    Args:
        images: Inputs in [0, 1], shape (N, C, H, W); the first ``MAX_PAIRS`` are shown.
        reconstructions: Outputs of the same shape, clipped to [0, 1].
        labels: Class of each image, shape (N,), −1 where missing; written above it.
        class_names: Names by class.
        title: Title of the figure.

    Returns:
        A figure of one axes for every twelve images.

    Raises:
        ValueError: If there are no images or the shapes differ.
    """
    shown = slice(0, MAX_PAIRS)
    return _pairs(images[shown], reconstructions[shown], _names(labels, class_names, shown), None, title)


def worst_reconstructions(
    images: NDArray[np.float32],
    reconstructions: NDArray[np.float32],
    errors: NDArray[np.float64],
    labels: NDArray[np.int64] | None = None,
    class_names: Sequence[str] | None = None,
    *,
    title: str = "Worst reconstructions, highest error first",
) -> Figure:
    """Show the images with the highest errors, each error written below its pair.

    Args:
        images: Inputs in [0, 1], shape (N, C, H, W); the ``MAX_PAIRS`` worst are shown.
        reconstructions: Outputs of the same shape, clipped to [0, 1].
        errors: Mean squared error of each image, shape (N,).
        labels: Class of each image, shape (N,), −1 where missing; written above it.
        class_names: Names by class.
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
    return _pairs(images[worst], reconstructions[worst], _names(labels, class_names, worst), below, title)


def _names(
    labels: NDArray[np.int64] | None, class_names: Sequence[str] | None, chosen: slice | NDArray[np.int64]
) -> list[str] | None:
    if labels is None:
        return None
    return [class_name(int(label), class_names) for label in labels[chosen]]


def _pairs(
    inputs: NDArray[np.float32],
    outputs: NDArray[np.float32],
    above: Sequence[str] | None,
    below: Sequence[str] | None,
    title: str,
) -> Figure:
    if inputs.shape != outputs.shape or len(inputs) == 0:
        raise ValueError(f"{outputs.shape} reconstructions for {inputs.shape} images; both need one and the same")
    num_columns = min(_PAIRS_PER_ROW, len(inputs))
    num_rows = math.ceil(len(inputs) / num_columns)
    text_lines = (above is not None) + 2 * (below is not None)
    ratio = inputs.shape[2] / inputs.shape[3]
    row_height = 2 * _TILE_INCHES * ratio + 0.2 * text_lines + 0.1
    figure = new_figure(num_columns * _TILE_INCHES + 1, num_rows * row_height + 0.5, title)
    for row, axes in enumerate(figure.subplots(num_rows, squeeze=False)[:, 0]):
        part = slice(row * num_columns, (row + 1) * num_columns)
        _pair_row(axes, inputs[part], outputs[part], num_columns)
        _write_columns(axes, inputs.shape[3], above and above[part], below and below[part])
    return figure


def _pair_row(axes: Axes, inputs: NDArray[np.float32], outputs: NDArray[np.float32], num_columns: int) -> None:
    height = inputs.shape[2]
    filled = [_filled(images, num_columns) for images in (inputs, outputs)]
    show_tiles(axes, compose(np.concatenate(filled), num_columns))
    axes.set_yticks([(height - 1) / 2, (height - 1) / 2 + height + 1], ["input", "output"], fontsize=LABEL_SIZE)
    axes.tick_params(length=0)


def _filled(images: NDArray[np.float32], num: int) -> NDArray[np.float32]:
    """Complete a last row with white images, so that its outputs stay under their inputs."""
    return np.concatenate([images, np.ones((num - len(images), *images.shape[1:]), dtype=np.float32)])


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
            )
