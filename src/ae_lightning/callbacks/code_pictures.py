"""Pictures of the code: where images lie, and what lies between and beyond them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ae_lightning.callbacks.encoding import chunk_size, num_within
from ae_lightning.callbacks.subject import Subject

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NUM_SAMPLES = 64
NUM_PRIOR_CODES, MIN_PRIOR_CODES = 100_000, 1_000
MAX_PRIOR_BYTES = 64 * 2**20
"""Of all codes that are drawn from the prior for its histogram."""


def draw_latent_scatter(subject: Subject) -> Figure:
    """Draw the codes in the plane."""
    from ae_lightning.plots.latent_scatter import latent_scatter

    return latent_scatter(subject.plane, subject.evaluated.labels, subject.class_names)


def write_latent_scatter(subject: Subject) -> str:
    """Write the page of the codes in the plane."""
    from ae_lightning.plots.latent_scatter_page import latent_scatter_page

    split = subject.evaluated
    return latent_scatter_page(subject.plane, split.images, split.labels, subject.class_names)


def draw_latent_grid(subject: Subject) -> Figure | None:
    """Draw what a grid of 2-D codes decodes to; there is none in other dimensions."""
    from ae_lightning.plots.latent_grid import grid_codes, grid_side, latent_grid

    if subject.model.latent_dim != 2:
        return None
    return latent_grid(subject.decode(grid_codes(grid_side(chunk_size(subject.model.spec.shape)))))


def draw_samples(subject: Subject) -> Figure:
    """Draw images from the prior, and from a Gaussian mixture fitted to the training codes."""
    from ae_lightning.plots.samples import samples

    prior = subject.coder.draw_prior(NUM_SAMPLES, subject.case.seed)
    drawn = subject.mixture.sample(NUM_SAMPLES, subject.case.seed)
    sources = {
        "codes drawn from the prior": prior,
        f"codes drawn from {subject.mixture.num_components} Gaussians fitted to the training codes": drawn,
    }
    return samples({source: subject.decode(codes) for source, codes in sources.items()})


def draw_interpolations(subject: Subject) -> Figure:
    """Draw what lies between images."""
    from ae_lightning.plots.interpolations import interpolations

    return interpolations(subject.paths)


def write_interpolations(subject: Subject) -> str:
    """Write the page of what lies between images."""
    from ae_lightning.plots.interpolations import interpolations_page

    return interpolations_page(subject.paths, subject.evaluated.codes)


def draw_latent_traversals(subject: Subject) -> Figure:
    """Draw what each dimension stands for."""
    from ae_lightning.plots.traversals import latent_traversals

    return latent_traversals(subject.traversals)


def write_latent_traversals(subject: Subject) -> str:
    """Write the page of what each dimension stands for."""
    from ae_lightning.plots.traversals import latent_traversals_page

    return latent_traversals_page(subject.traversals)


def num_prior_codes(latent_dim: int) -> int:
    """Return how many codes to draw from the prior for its histogram: as many as memory for large codes allows."""
    return max(MIN_PRIOR_CODES, min(NUM_PRIOR_CODES, num_within(MAX_PRIOR_BYTES, (latent_dim,))))


def draw_code_histograms(subject: Subject) -> Figure:
    """Draw each dimension's codes against the prior."""
    from ae_lightning.plots.code_histograms import code_histograms

    prior = subject.coder.draw_prior(num_prior_codes(subject.model.latent_dim), subject.case.seed)
    return code_histograms(subject.evaluated.codes, prior)


def draw_confusion_kmeans(subject: Subject) -> Figure | None:
    """Draw which classes share a cluster of k-means."""
    if not subject.evaluated.has_labels:
        return None
    return _confusion(subject, subject.case.kmeans_clusters, "k-means")


def draw_confusion_gmm(subject: Subject) -> Figure | None:
    """Draw which classes share a Gaussian of the mixture."""
    if not subject.evaluated.has_labels:
        return None
    codes, _ = subject.evaluated.labelled()
    return _confusion(subject, subject.mixture.components(codes), "a Gaussian mixture")


def _confusion(subject: Subject, clusters: NDArray[np.int64], method: str) -> Figure:
    from ae_lightning.plots.confusion import confusion

    _, labels = subject.evaluated.labelled()
    return confusion(labels, clusters, subject.class_names, f"Classes by cluster of {method}, in per cent of the class")
