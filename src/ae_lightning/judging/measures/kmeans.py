"""How well clusters of k-means agree with the classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ae_lightning.judging.case import Case
from ae_lightning.judging.clustering import cluster_accuracy
from ae_lightning.judging.encoded import EncodedSplit
from ae_lightning.judging.measure import Direction, Measure


class KMeansAgreement(Measure):
    """Accuracy, mutual information and Rand index of the clusters of k-means."""

    name = "kmeans"
    metrics: ClassVar[Mapping[str, Direction]] = {
        "kmeans_accuracy": "higher",
        "kmeans_nmi": "higher",
        "kmeans_ari": "higher",
    }
    cost = "cheap"
    needs = frozenset({"labels"})

    def compute(self, case: Case) -> dict[str, float]:
        """See ``Measure.compute``."""
        return kmeans_agreement(case.kmeans_clusters, case.evaluated)


def kmeans_agreement(clusters: NDArray[np.int64], evaluated: EncodedSplit) -> dict[str, float]:
    """Compare the clusters of evaluated codes with their classes.

    Args:
        clusters: From ``kmeans_clusters``.
        evaluated: Labelled codes; unlabelled images are left out.

    Returns:
        ``kmeans_accuracy`` (see ``cluster_accuracy``) and ``kmeans_nmi``, in [0, 1]; ``kmeans_ari``, 0 for
        chance, 1 at best, and slightly negative below chance.

    Raises:
        ValueError: If ``evaluated`` has no labels.
    """
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    _, labels = evaluated.labelled()
    return {
        "kmeans_accuracy": cluster_accuracy(labels, clusters),
        "kmeans_nmi": float(normalized_mutual_info_score(labels, clusters)),
        "kmeans_ari": float(adjusted_rand_score(labels, clusters)),
    }
