"""How well a model's own clusters agree with the classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ae_lightning.judging.case import Case
from ae_lightning.judging.clustering import cluster_agreement
from ae_lightning.judging.measure import Direction, Measure
from ae_lightning.labels import MISSING_LABEL


class ModelClusters(Measure):
    """Accuracy, mutual information and Rand index of the clusters that a model assigns samples to itself."""

    name = "model_clusters"
    goal = "cluster"
    metrics: ClassVar[Mapping[str, Direction]] = {
        "model_clusters_accuracy": "higher",
        "model_clusters_nmi": "higher",
        "model_clusters_ari": "higher",
    }
    cost = "cheap"
    needs = frozenset({"model", "labels", "own clusters"})
    of_models_alone = True

    def compute(self, case: Case) -> dict[str, float]:
        """See ``Measure.compute``."""
        split, assign = case.evaluated, case.given_model.assign
        assert assign is not None
        assert split.labels is not None
        labelled = split.select(split.labels != MISSING_LABEL)
        assert labelled.labels is not None
        clusters = assign(labelled.decodable).argmax(axis=1)
        return cluster_agreement("model_clusters", labelled.labels, clusters)
