"""Which pictures an evaluation draws, and from what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from ae_lightning.autoencoder import Autoencoder
from ae_lightning.evaluation.encoded import EncodedSplit

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NUM_SAMPLES = 64


@dataclass(frozen=True)
class Subject:
    """What pictures are made from.

    Attributes:
        model: In eval mode.
        evaluated: The split that is judged, encoded.
        class_names: Names of the data set's classes, if it has any.
        seed: Fixes what is drawn.
    """

    model: Autoencoder
    evaluated: EncodedSplit
    class_names: tuple[str, ...] | None
    seed: int


def draw_reconstructions(subject: Subject) -> Figure:
    """Draw inputs over outputs."""
    from ae_lightning.plots.reconstructions import reconstructions

    split = subject.evaluated
    assert split.reconstructions is not None
    return reconstructions(split.images, split.reconstructions, split.labels, subject.class_names)


def draw_worst_reconstructions(subject: Subject) -> Figure:
    """Draw the highest errors: with a tight bottleneck, realistic looking wrong images."""
    from ae_lightning.evaluation.pixels import mse_per_image
    from ae_lightning.plots.reconstructions import worst_reconstructions

    split = subject.evaluated
    assert split.reconstructions is not None
    errors = mse_per_image(split.images, split.reconstructions)
    return worst_reconstructions(split.images, split.reconstructions, errors, split.labels, subject.class_names)


def draw_latent_scatter(subject: Subject) -> Figure:
    """Draw the codes in the plane."""
    from ae_lightning.plots.latent_scatter import latent_scatter

    return latent_scatter(subject.evaluated.codes, subject.evaluated.labels, subject.class_names)


def draw_latent_grid(subject: Subject) -> Figure | None:
    """Draw what a grid of 2-D codes decodes to; there is none in other dimensions."""
    from ae_lightning.plots.latent_grid import grid_codes, latent_grid

    if subject.model.latent_dim != 2:
        return None
    codes = torch.from_numpy(grid_codes()).to(subject.model.device)
    with torch.no_grad():
        return latent_grid(subject.model.decode(codes).cpu().numpy())


def draw_samples(subject: Subject) -> Figure:
    """Draw images from the prior."""
    from ae_lightning.plots.samples import samples

    images = subject.model.sample(NUM_SAMPLES, subject.seed).cpu().numpy()
    return samples(images, "Samples from the prior")


PICTURES: dict[str, Callable[[Subject], Figure | None]] = {
    "reconstructions": draw_reconstructions,
    "worst_reconstructions": draw_worst_reconstructions,
    "latent_scatter": draw_latent_scatter,
    "latent_grid": draw_latent_grid,
    "samples": draw_samples,
}
"""Every picture by name."""
