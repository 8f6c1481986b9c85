"""Pictures of images beside what the model makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ae_lightning.autoencoder import DEFAULT_NOISE, Autoencoder
from ae_lightning.callbacks.subject import Subject
from ae_lightning.labels import MISSING_LABEL

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CODECS = {
    "autoencoder": "autoencoder",
    "pca": "PCA",
    "jpeg": "JPEG, an image a file",
    "jpeg_mosaic": "JPEG, one mosaic",
    "webp": "WebP, an image a file",
    "webp_mosaic": "WebP, one mosaic",
}


def draw_reconstructions(subject: Subject) -> Figure:
    """Draw inputs over outputs, from all over the split: a folder's lies class by class."""
    from ae_lightning.plots.reconstructions import MAX_PAIRS, reconstructions

    split = subject.evaluated.sample(MAX_PAIRS, seed=0)
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
    from ae_lightning.callbacks.coding import corrupt_images
    from ae_lightning.plots.denoising import MAX_SHOWN, denoising

    is_own = type(subject.model).corrupt is not Autoencoder.corrupt
    corruption = "the variant's own corruption" if is_own else f"Gaussian noise of std {DEFAULT_NOISE}"
    split = subject.evaluated.sample(MAX_SHOWN, seed=0)
    images = corrupt_images(subject.model, split, subject.case.seed)
    restored = subject.coder.restore(images.corrupted)
    return denoising(
        images.clean, images.corrupted, restored, split.labels, subject.class_names, title=f"Denoising: {corruption}"
    )


def draw_novelty(subject: Subject) -> Figure | None:
    """Draw how images of the class that was left out of training stand out; none was left out in most runs."""
    from ae_lightning.evaluation.novelty import holds_novelty
    from ae_lightning.evaluation.pixels import mse_per_image
    from ae_lightning.plots.novelty import novelty
    from ae_lightning.plots.style import class_name

    split, novel_class = subject.evaluated, subject.case.novel_class
    if novel_class is None or not holds_novelty(split, novel_class):
        return None
    assert split.labels is not None
    labelled = split.select(split.labels != MISSING_LABEL)
    assert labelled.labels is not None
    assert labelled.reconstructions is not None
    scores = {
        "reconstruction error (mse)": mse_per_image(labelled.images, labelled.reconstructions),
        "negative log-likelihood of the code (nats)": -subject.mixture.log_likelihood(labelled.codes),
    }
    title = f"Novelty detection: class {class_name(novel_class, subject.class_names)} left out of training"
    return novelty(scores, labelled.labels == novel_class, title)


def draw_compression(subject: Subject) -> Figure | None:
    """Draw the codecs' rate and distortion, where compression was measured."""
    from ae_lightning.plots.compression import compression

    curves = {_CODECS[name]: curve for name, curve in subject.codecs.items()}
    if not curves:
        return None
    return compression(curves, f"Compression: {type(subject.model).__name__} beside other codecs")
