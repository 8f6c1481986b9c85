"""Drawn images: what the decoder makes of codes that no image gave."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ae_lightning.judging.drawing.style import LABEL_SIZE, new_figure
from ae_lightning.judging.drawing.tiles import compose, show_tiles
from ae_lightning.judging.picture import Picture
from ae_lightning.judging.picture_case import PictureCase

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_SAMPLES = 144
"""Images of each source shown at most; the rest are left out."""

_GRID_INCHES = 6.5

NUM_SAMPLES = 64

NUM_A_CLASS = 12
"""Samples of each class, where the model is given classes; one row each."""

MAX_CLASS_ROWS = 12
"""Classes shown at most: the first ones."""


class Samples(Picture):
    """Images from the prior, another sampler if one is chosen, and Gaussians fitted to the codes; or a row a class."""

    name = "samples"
    cost = "cheap"
    needs = frozenset({"model", "images"})

    def draw(self, case: PictureCase) -> Figure:
        """See ``Picture.draw``."""
        model = case.model
        num_rows = min(model.num_given, MAX_CLASS_ROWS)
        num = num_rows * NUM_A_CLASS if num_rows else NUM_SAMPLES
        given = np.repeat(np.arange(num_rows), NUM_A_CLASS) if num_rows else None
        sources = {"codes drawn from the prior": model.draw_prior(num, case.seed, given)}
        if model.sampler is not None:
            sources[f"codes drawn by {model.sampler.name}"] = model.sampler.draw(num, case.seed, given)
        if "vector codes" in case.case.given:
            name = f"codes drawn from {case.mixture.num_components} Gaussians fitted to the training codes"
            sources[name] = case.mixture.sample(num, case.seed)
        decoded = {source: model.decode(latents, given) for source, latents in sources.items()}
        if not num_rows:
            return samples(decoded)
        return samples(decoded, "Samples, one row a class", num_columns=NUM_A_CLASS)


def samples(
    sources: Mapping[str, NDArray[np.float32]], title: str = "Samples", num_columns: int | None = None
) -> Figure:
    """Show drawn images, one grid for each source of codes, each as square as the number of images allows.

    Args:
        sources: Decoded draws by where their codes were drawn from, such as `from the prior`; shape (N, C, H, W) each,
            clipped to [0, 1]; the first ``MAX_SAMPLES`` of each are shown.
        title: Title of the figure.
        num_columns: Images of a row; None for as many as make a square.

    Returns:
        A figure of one axes a source, side by side.

    Raises:
        ValueError: If a source has no images.
    """
    grids = {source: _grid(images[:MAX_SAMPLES], num_columns) for source, images in sources.items()}
    ratio = max(tiles.shape[0] / tiles.shape[1] for tiles in grids.values())
    figure = new_figure(_GRID_INCHES * len(grids), _GRID_INCHES * ratio + 0.7, title)
    row = figure.subplots(1, len(grids), squeeze=False)[0]
    for axes, (source, tiles) in zip(row, grids.items(), strict=True):
        show_tiles(axes, tiles)
        axes.set_title(source, fontsize=LABEL_SIZE)
    return figure


def _grid(images: NDArray[np.float32], num_columns: int | None) -> NDArray[np.float32]:
    return compose(images, num_columns or max(1, math.ceil(math.sqrt(len(images)))))
