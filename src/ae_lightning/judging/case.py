"""Everything that a measure may look at, and what of it there is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ae_lightning.judging.altered_images import CorruptedImages, OverlaidImages
from ae_lightning.judging.cache import Arrays, Cache, fingerprint
from ae_lightning.judging.classifier import features, train_classifier
from ae_lightning.judging.clustering import kmeans_clusters, num_classes
from ae_lightning.judging.encoded import EncodedSplit
from ae_lightning.judging.mixture import CodeMixture, fit_mixture
from ae_lightning.judging.numpy_model import NumpyModel, Rows
from ae_lightning.judging.once import once
from ae_lightning.judging.pca import FitSamples
from ae_lightning.judging.pixels import MIN_SSIM_SIDE
from ae_lightning.labels import MISSING_LABEL

MIN_COMPARED = 1_000
"""Images of a split below which a distance between distributions of features says more of their number than of them."""


@dataclass(frozen=True)
class Case:
    """One model, or PCA, on one pair of splits.

    Attributes:
        train: Split that clusters, class means, Gaussians and classifiers are fitted to.
        evaluated: Split that is judged.
        seed: Fixes whatever is drawn.
        model: Encodes and decodes more than the splits hold.
        corrupted: Images of the evaluated split before and after a corruption.
        overlaid: Pairs of images of the evaluated split laid over each other.
        novel_class: Class left out of training.
        fit_samples: What PCA is fitted to, where that is more than the samples of ``train``.
        cache: Where results that depend on the data alone are kept.
        augment: From training images and a seed to what training sees of them; None where that is they themselves.
    """

    train: EncodedSplit
    evaluated: EncodedSplit
    seed: int
    model: NumpyModel | None = None
    corrupted: CorruptedImages | None = None
    overlaid: OverlaidImages | None = None
    novel_class: int | None = None
    fit_samples: FitSamples | None = None
    cache: Cache = field(default_factory=Cache)
    augment: Callable[[Rows, int], Rows] | None = None

    @cached_property
    def given(self) -> frozenset[str]:
        """Those of ``NEEDS`` that are met here."""
        return frozenset(need for need, is_met in _ANSWERS.items() if is_met(self))

    @property
    def pixels(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Samples of the evaluated split and their reconstructions, for what needs "reconstructions"."""
        assert self.evaluated.reconstructions is not None
        return self.evaluated.x, self.evaluated.reconstructions

    @property
    def given_model(self) -> NumpyModel:
        """The model, for what needs "model"."""
        assert self.model is not None
        return self.model

    @once
    def kmeans_clusters(self) -> NDArray[np.int64]:
        """The cluster of each labelled code that is evaluated, found once for all."""
        return kmeans_clusters(self.train, self.evaluated, self.seed)

    @once
    def mixture(self) -> CodeMixture:
        """A Gaussian mixture of the training codes with as many components as classes, fitted once for all."""
        return fit_mixture(self.train.codes, num_classes(self.train, self.evaluated), self.seed)

    def classifier_features(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what a small classifier, trained once on the labelled training images, sees of images.

        Raises:
            ValueError: If no training image has a label.
        """
        return features(self._classifier, images)

    @once
    def _classifier(self) -> Arrays:
        split = self.train
        if split.labels is None or not split.has_labels:
            raise ValueError("without training labels there is no classifier to take features from")
        known = split.labels != MISSING_LABEL
        labelled = split if known.all() else split.select(known)
        assert labelled.labels is not None
        images_and_labels = labelled.x, labelled.labels
        return self.cache.get(
            fingerprint("classifier", *images_and_labels), lambda: train_classifier(*images_and_labels)
        )


MANY_IMAGES = f"{MIN_COMPARED:,} images"
"""The need for so many of both splits."""


def holds_novelty(evaluated: EncodedSplit, novel_class: int | None) -> bool:
    """Whether a split holds images of the class left out of training, and labelled ones of other classes."""
    if novel_class is None or evaluated.labels is None:
        return False
    classes = set(np.unique(evaluated.labels)) - {MISSING_LABEL}
    return novel_class in classes and len(classes) > 1


_ANSWERS: dict[str, Callable[[Case], bool]] = {
    "reconstructions": lambda case: case.evaluated.reconstructions is not None,
    "labels": lambda case: case.evaluated.has_labels,
    "training labels": lambda case: case.train.has_labels,
    "two images": lambda case: len(case.evaluated) > 1,
    MANY_IMAGES: lambda case: min(len(case.train), len(case.evaluated)) >= MIN_COMPARED,
    "bounded values": lambda case: case.evaluated.value_range is not None,
    "images": lambda case: case.evaluated.holds_images,
    "vectors": lambda case: case.evaluated.x.ndim == 2,
    "three pixels a side": lambda case: min(case.evaluated.x.shape[2:], default=0) >= MIN_SSIM_SIDE,
    "two dimensions": lambda case: case.evaluated.latents is None and case.evaluated.codes.shape[1] == 2,
    "vector codes": lambda case: case.evaluated.latents is None,
    "code rate": lambda case: (
        case.evaluated.latents is None or (case.model is not None and case.model.code_bits is not None)
    ),
    "own clusters": lambda case: case.model is not None and case.model.assign is not None,
    "model": lambda case: case.model is not None,
    "corrupted images": lambda case: case.corrupted is not None,
    "overlaid images": lambda case: case.overlaid is not None,
    "augmentation": lambda case: case.augment is not None,
    "novel class": lambda case: holds_novelty(case.evaluated, case.novel_class),
}

NEEDS = frozenset(_ANSWERS)
"""All that a measure or a picture may say it cannot do without. Images are those whose values have bounds."""

OF_SAMPLES = frozenset({"bounded values", "images"})
"""Those of them that data may not meet whatever is trained on them."""
