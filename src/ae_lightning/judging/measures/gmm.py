"""How well the components of a Gaussian mixture agree with the classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ae_lightning.judging.case import Case
from ae_lightning.judging.clustering import cluster_accuracy
from ae_lightning.judging.encoded import EncodedSplit
from ae_lightning.judging.measure import Direction, Measure
from ae_lightning.judging.mixture import CodeMixture


class MixtureAccuracy(Measure):
    """Accuracy of a Gaussian mixture fitted without labels."""

    name = "gmm"
    goal = "cluster"
    metrics: ClassVar[Mapping[str, Direction]] = {"gmm_accuracy": "higher"}
    needs = frozenset({"labels"})

    def compute(self, case: Case) -> dict[str, float]:
        """See ``Measure.compute``."""
        return {"gmm_accuracy": gmm_accuracy(case.mixture, case.evaluated)}


def gmm_accuracy(mixture: CodeMixture, evaluated: EncodedSplit) -> float:
    """Match the components of a mixture, fitted to training codes without labels, to the classes.

    Args:
        mixture: As many components as classes, see ``fit_mixture``.
        evaluated: Labelled codes, each given to its most probable component; unlabelled images are left out.

    Returns:
        The accuracy in [0, 1], see ``cluster_accuracy``.

    Raises:
        ValueError: If ``evaluated`` has no labels.
    """
    codes, labels = evaluated.labelled()
    return cluster_accuracy(labels, mixture.components(codes))
