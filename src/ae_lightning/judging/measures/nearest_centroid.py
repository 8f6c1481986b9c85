"""How well the mean training code of each class tells the classes of evaluated codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from ae_lightning.judging.case import Case
from ae_lightning.judging.encoded import EncodedSplit
from ae_lightning.judging.measure import Direction, Measure


class NearestCentroid(Measure):
    """Accuracy of the nearest class mean."""

    name = "nearest_centroid"
    goal = "classify"
    metrics: ClassVar[Mapping[str, Direction]] = {"nearest_centroid_accuracy": "higher"}
    cost = "cheap"
    needs = frozenset({"labels", "training labels"})

    def compute(self, case: Case) -> dict[str, float]:
        """See ``Measure.compute``."""
        return {"nearest_centroid_accuracy": nearest_centroid_accuracy(case.train, case.evaluated)}


def nearest_centroid_accuracy(train: EncodedSplit, evaluated: EncodedSplit) -> float:
    """Share of images whose code is nearest, by Euclidean distance, to the mean training code of their class.

    Args:
        train: Labelled codes that give the class means; unlabelled images are left out.
        evaluated: Labelled codes to classify; unlabelled images are left out.

    Returns:
        The accuracy in [0, 1]. An image of a class without training codes counts as wrong.

    Raises:
        ValueError: If a split has no labels.
    """
    from sklearn.metrics import pairwise_distances_argmin

    train_codes, train_labels = train.labelled()
    codes, labels = evaluated.labelled()
    classes = np.unique(train_labels)
    centroids = np.stack([train_codes[train_labels == one].mean(axis=0, dtype=np.float64) for one in classes])
    predicted = classes[pairwise_distances_argmin(codes, centroids.astype(np.float32))]
    return float((predicted == labels).mean())
