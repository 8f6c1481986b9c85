"""Everything that a measure may look at, and what of it there is."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ae_lightning.evaluation.cache import Arrays, Cache, fingerprint
from ae_lightning.evaluation.classifier import features, train_classifier
from ae_lightning.evaluation.clustering import kmeans_clusters, num_classes
from ae_lightning.evaluation.coder import Coder
from ae_lightning.evaluation.denoising import CorruptedImages
from ae_lightning.evaluation.encoded import EncodedSplit
from ae_lightning.evaluation.mixture import CodeMixture, fit_mixture
from ae_lightning.evaluation.novelty import holds_novelty
from ae_lightning.evaluation.overlay import OverlaidImages
from ae_lightning.evaluation.pixels import MIN_SSIM_SIDE
from ae_lightning.labels import MISSING_LABEL

Need = Literal[
    "reconstructions",
    "labels",
    "training labels",
    "two images",
    "three pixels a side",
    "coder",
    "corrupted images",
    "overlaid images",
    "novel class",
]
"""What a measure cannot do without; where it is missing the measure is left out."""


@dataclass(frozen=True)
class Case:
    """One model, or PCA, on one pair of splits.

    Attributes:
        train: Split that clusters, class means, Gaussians and classifiers are fitted to.
        evaluated: Split that is judged.
        seed: Fixes whatever is drawn.
        coder: Encodes and decodes more than the splits hold.
        corrupted: Images of the evaluated split before and after a corruption.
        overlaid: Pairs of images of the evaluated split laid over each other.
        novel_class: Class left out of training.
        cache: Where results that depend on the data alone are kept.
    """

    train: EncodedSplit
    evaluated: EncodedSplit
    seed: int
    coder: Coder | None = None
    corrupted: CorruptedImages | None = None
    overlaid: OverlaidImages | None = None
    novel_class: int | None = None
    cache: Cache = field(default_factory=Cache)

    @property
    def given(self) -> frozenset[Need]:
        """What a measure finds here."""
        held: dict[Need, bool] = {
            "reconstructions": self.evaluated.reconstructions is not None,
            "labels": self.evaluated.has_labels,
            "training labels": self.train.has_labels,
            "two images": len(self.evaluated) > 1,
            "three pixels a side": min(self.evaluated.images.shape[2:]) >= MIN_SSIM_SIDE,
            "coder": self.coder is not None,
            "corrupted images": self.corrupted is not None,
            "overlaid images": self.overlaid is not None,
            "novel class": holds_novelty(self.evaluated, self.novel_class),
        }
        return frozenset(need for need, is_held in held.items() if is_held)

    @cached_property
    def kmeans_clusters(self) -> NDArray[np.int64]:
        """The cluster of each labelled code that is evaluated, found once for all."""
        return kmeans_clusters(self.train, self.evaluated, self.seed)

    @cached_property
    def mixture(self) -> CodeMixture:
        """A Gaussian mixture of the training codes with as many components as classes, fitted once for all."""
        return fit_mixture(self.train.codes, num_classes(self.train, self.evaluated), self.seed)

    def classifier_features(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what a small classifier, trained once on the labelled training images, sees of images.

        Raises:
            ValueError: If no training image has a label.
        """
        return features(self._classifier, images)

    @cached_property
    def _classifier(self) -> Arrays:
        split = self.train
        if split.labels is None or not split.has_labels:
            raise ValueError("without training labels there is no classifier to take features from")
        known = split.labels != MISSING_LABEL
        labelled = split if known.all() else split.select(known)
        assert labelled.labels is not None
        images_and_labels = labelled.images, labelled.labels
        return self.cache.get(
            fingerprint("classifier", *images_and_labels), lambda: train_classifier(*images_and_labels)
        )
