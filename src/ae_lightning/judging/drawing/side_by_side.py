"""Several autoencoders on the same images, under one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ae_lightning.judging.drawing.style import LABEL_SIZE, SMALL_SIZE, class_name, new_figure
from ae_lightning.judging.drawing.tiles import compose, show_tiles
from ae_lightning.judging.pixels import mse_per_image

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NUM_COLUMNS = 16
_TILE_INCHES = 0.85
_LABEL_INCHES = 2.4


def worst_side_by_side(
    images: NDArray[np.float32],
    reconstructions: Mapping[str, NDArray[np.float32]],
    labels: NDArray[np.int64] | None = None,
    class_names: Sequence[str] | None = None,
) -> Figure:
    """Show the images that all models together reconstruct worst, and under each what every model makes of it.

    Args:
        images: Inputs in [0, 1], shape (N, C, H, W); the ``NUM_COLUMNS`` of the highest mean error are shown.
        reconstructions: Outputs of the same shape, by model.
        labels: Class of each image, shape (N,), −1 where missing; written above it.
        class_names: Names by class.

    Returns:
        A figure of one axes: a row for the inputs and one a model, its mean squared error over all images beside it.

    Raises:
        ValueError: If there is no model.
    """
    if not reconstructions:
        raise ValueError("no reconstructions to show")
    errors = {model: mse_per_image(images, outputs) for model, outputs in reconstructions.items()}
    worst = np.argsort(-np.mean(list(errors.values()), axis=0), kind="stable")[:NUM_COLUMNS]
    rows = [images[worst], *(outputs[worst] for outputs in reconstructions.values())]
    tiles = compose(np.concatenate(rows), len(worst))
    height, width = images.shape[2:]
    inches = len(rows) * _TILE_INCHES * height / width
    figure = new_figure(len(worst) * _TILE_INCHES + _LABEL_INCHES, inches + 0.7, "Worst reconstructions of all models")
    axes = figure.subplots()
    show_tiles(axes, tiles)
    names = ["input", *(f"{model}\nmse {error.mean():.4f}" for model, error in errors.items())]
    places = [(height - 1) / 2 + row * (height + 1) for row in range(len(rows))]
    axes.set_yticks(places, names, fontsize=LABEL_SIZE, parse_math=False)
    axes.tick_params(length=0)
    if labels is not None:
        axes.set_xticks(
            [(width - 1) / 2 + column * (width + 1) for column in range(len(worst))],
            [class_name(int(label), class_names) for label in labels[worst]],
            fontsize=SMALL_SIZE,
            parse_math=False,
        )
        axes.xaxis.tick_top()
    return figure
