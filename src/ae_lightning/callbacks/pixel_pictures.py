"""Pictures of images beside what the model makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ae_lightning.callbacks.subject import Subject
from ae_lightning.data.corruption import gaussian
from ae_lightning.draws import Draws
from ae_lightning.variants.denoising import DenoisingAE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NOISE_STD = 0.3


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


def draw_denoising(subject: Subject) -> Figure:
    """Draw clean, corrupted and restored images: the variant's own corruption, or else Gaussian noise."""
    from ae_lightning.plots.denoising import MAX_SHOWN, denoising

    model, split = subject.model, subject.evaluated
    clean = split.images[:MAX_SHOWN]
    num = len(clean)
    draws = Draws(subject.seed, "denoising", (), offset=0, num_images=num, global_size=num, device=torch.device("cpu"))
    images = torch.from_numpy(clean)
    if isinstance(model, DenoisingAE):
        corrupted, how = model.corrupt(images, draws), model.corruption.replace("_", " ")
    else:
        corrupted, how = gaussian(images, draws.normal(*images.shape[1:]), NOISE_STD), f"Gaussian, std {NOISE_STD}"
    restored = subject.restore(corrupted.numpy())
    title = f"Denoising ({how})"
    return denoising(clean, corrupted.numpy(), restored, split.labels, subject.class_names, title=title)
