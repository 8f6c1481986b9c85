"""Several autoencoders on the same images, under one another."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ae_lightning.judging.chunks import sample_positions
from ae_lightning.judging.drawing.style import LABEL_SIZE, SMALL_SIZE, names_of, new_figure
from ae_lightning.judging.drawing.tiles import compose, filled, show_tiles
from ae_lightning.judging.pixels import mse_per_image

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NUM_COLUMNS = 16
_TILE_INCHES = 0.85
_LABEL_INCHES = 2.4
_LABEL_LETTERS = 28


def side_by_side(
    images: NDArray[np.float32],
    reconstructions: Mapping[str, NDArray[np.float32]],
    labels: NDArray[np.int64] | None = None,
    class_names: Sequence[str] | None = None,
    *,
    worst: bool = False,
) -> Figure:
    """Show images, and under each what every model makes of it.

    Args:
        images: Inputs in [0, 1], shape (N, C, H, W); ``NUM_COLUMNS`` of them are shown.
        reconstructions: Outputs of the same shape, by model.
        labels: Class of each image, shape (N,), −1 where missing; written above it.
        class_names: Names by class.
        worst: Whether those of the highest error, the mean over the models, are shown, and not some from all over.

    Returns:
        A figure of one axes: a row for the inputs and one a model, its mean squared error over all images beside it.

    Raises:
        ValueError: If there is no model.
    """
    if not reconstructions:
        raise ValueError("no reconstructions to show")
    errors = {model: mse_per_image(images, outputs) for model, outputs in reconstructions.items()}
    if worst:
        chosen = np.argsort(-np.mean(list(errors.values()), axis=0), kind="stable")[:NUM_COLUMNS]
    else:
        positions = sample_positions(len(images), NUM_COLUMNS, seed=0)
        chosen = np.arange(len(images)) if positions is None else positions
    rows = {"input": images[chosen]}
    rows |= {f"{model}\nmse {errors[model].mean():.4f}": outputs[chosen] for model, outputs in reconstructions.items()}
    title = "Worst reconstructions of all models" if worst else "Reconstructions of the same images"
    return _rows(rows, title, names_of(None if labels is None else labels[chosen], class_names))


def samples_side_by_side(real: NDArray[np.float32], samples: Mapping[str, NDArray[np.float32]]) -> Figure:
    """Show what every model draws, and images that are not drawn.

    Args:
        real: Images in [0, 1], shape (N, C, H, W), ``NUM_COLUMNS`` from all over of which are shown.
        samples: Drawn images by model, of the same shape; the first ``NUM_COLUMNS`` are shown.

    Returns:
        A figure of one axes: a row of images of the data, and one a model.

    Raises:
        ValueError: If there is no model.
    """
    if not samples:
        raise ValueError("no samples to show")
    positions = sample_positions(len(real), NUM_COLUMNS, seed=0)
    rows = {"of the data": real if positions is None else real[positions]}
    return _rows(rows | {model: drawn[:NUM_COLUMNS] for model, drawn in samples.items()}, "Samples")


def _rows(rows: Mapping[str, NDArray[np.float32]], title: str, above: Sequence[str] | None = None) -> Figure:
    num_columns = max(map(len, rows.values()))
    height, width = next(iter(rows.values())).shape[2:]
    tiles = compose(np.concatenate([filled(images, num_columns) for images in rows.values()]), num_columns)
    inches = len(rows) * _TILE_INCHES * height / width
    figure = new_figure(num_columns * _TILE_INCHES + _LABEL_INCHES, inches + 0.7, title)
    axes = figure.subplots()
    show_tiles(axes, tiles)
    places = [(height - 1) / 2 + row * (height + 1) for row in range(len(rows))]
    names = ["\n".join(textwrap.fill(line, _LABEL_LETTERS) for line in name.split("\n")) for name in rows]
    axes.set_yticks(places, names, fontsize=LABEL_SIZE, parse_math=False)
    axes.tick_params(length=0)
    if above is not None:
        centres = [(width - 1) / 2 + column * (width + 1) for column in range(len(above))]
        axes.set_xticks(centres, above, fontsize=SMALL_SIZE, parse_math=False)
        axes.xaxis.tick_top()
    return figure
