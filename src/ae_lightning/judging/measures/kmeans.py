"""How well clusters of k-means agree with the classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ae_lightning.judging.case import Case
from ae_lightning.judging.clustering import cluster_agreement
from ae_lightning.judging.measure import Direction, Measure


class KMeansAgreement(Measure):
    """Accuracy, mutual information and Rand index of the clusters of k-means."""

    name = "kmeans"
    goal = "cluster"
    metrics: ClassVar[Mapping[str, Direction]] = {
        "kmeans_accuracy": "higher",
        "kmeans_nmi": "higher",
        "kmeans_ari": "higher",
    }
    cost = "cheap"
    needs = frozenset({"labels"})

    def compute(self, case: Case) -> dict[str, float]:
        """See ``Measure.compute``."""
        return cluster_agreement("kmeans", case.evaluated.labelled()[1], case.kmeans_clusters)
