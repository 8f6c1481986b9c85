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


class Samples(Picture):
    """Images from the prior, from another sampler if one is chosen, and from a mixture fitted to the training codes."""

    name = "samples"
    cost = "cheap"
    needs = frozenset({"model"})

    def draw(self, case: PictureCase) -> Figure:
        """See ``Picture.draw``."""
        model = case.model
        given = model.classes_in_turn(NUM_SAMPLES)
        sources = {"codes drawn from the prior": model.draw_prior(NUM_SAMPLES, case.seed, given)}
        if model.sampler is not None:
            sources[f"codes drawn by {model.sampler.name}"] = model.sampler.draw(NUM_SAMPLES, case.seed, given)
        if "vector codes" in case.case.given:
            source = f"codes drawn from {case.mixture.num_components} Gaussians fitted to the training codes"
            sources[source] = case.mixture.sample(NUM_SAMPLES, case.seed)
        return samples({source: model.decode(latents, given) for source, latents in sources.items()})


def samples(sources: Mapping[str, NDArray[np.float32]], title: str = "Samples") -> Figure:
    """Show drawn images, one grid for each source of codes, each as square as the number of images allows.

    Args:
        sources: Decoded draws by where their codes were drawn from, such as `from the prior`; shape (N, C, H, W) each,
            clipped to [0, 1]; the first ``MAX_SAMPLES`` of each are shown.
        title: Title of the figure.

    Returns:
        A figure of one axes a source, side by side.

    Raises:
        ValueError: If a source has no images.
    """
    grids = {source: _grid(images[:MAX_SAMPLES]) for source, images in sources.items()}
    ratio = max(tiles.shape[0] / tiles.shape[1] for tiles in grids.values())
    figure = new_figure(_GRID_INCHES * len(grids), _GRID_INCHES * ratio + 0.7, title)
    row = figure.subplots(1, len(grids), squeeze=False)[0]
    for axes, (source, tiles) in zip(row, grids.items(), strict=True):
        show_tiles(axes, tiles)
        axes.set_title(source, fontsize=LABEL_SIZE)
    return figure


def _grid(images: NDArray[np.float32]) -> NDArray[np.float32]:
    return compose(images, max(1, math.ceil(math.sqrt(len(images)))))
