"""Whether a linear classifier can read the classes off frozen codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from ae_lightning.judging.case import Case
from ae_lightning.judging.convergence import unconverged_is_fine
from ae_lightning.judging.encoded import EncodedSplit
from ae_lightning.judging.measure import Direction, Measure

MAX_PROBE_CODES = 60_000
"""Labelled training codes that the probe is fitted to; of larger sets a fixed random sample."""

_ROUNDS = 100


class LinearProbe(Measure):
    """Accuracy of logistic regression on the codes."""

    name = "linear_probe"
    goal = "classify"
    metrics: ClassVar[Mapping[str, Direction]] = {"linear_probe_accuracy": "higher"}
    needs = frozenset({"labels", "training labels"})

    def compute(self, case: Case) -> dict[str, float]:
        """See ``Measure.compute``."""
        return {"linear_probe_accuracy": linear_probe_accuracy(case.train, case.evaluated, case.seed)}


def linear_probe_accuracy(train: EncodedSplit, evaluated: EncodedSplit, seed: int) -> float:
    """Fit logistic regression to labelled training codes and judge it on evaluated ones (Alain and Bengio 2017).

    Multinomial, with scikit-learn's default penalty (½‖W‖² beside the summed log-loss, C = 1) on codes of which every
    dimension is moved and scaled to mean 0 and variance 1; a constant dimension stays 0. L-BFGS stops after 100 rounds.

    Args:
        train: Labelled codes; unlabelled images are left out. One example of a class is enough.
        evaluated: Labelled codes to classify; unlabelled images are left out.
        seed: Fixes the sample of a set larger than ``MAX_PROBE_CODES``.

    Returns:
        The accuracy in [0, 1]. An image of a class without training codes counts as wrong; where training knows one
        class alone, every image is given to it.

    Raises:
        ValueError: If a split has no labels.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    train_codes, train_labels = train.labelled(MAX_PROBE_CODES, seed)
    codes, labels = evaluated.labelled()
    if (train_labels == train_labels[0]).all():
        return float((labels == train_labels[0]).mean())
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=_ROUNDS))
    with unconverged_is_fine():
        predicted = probe.fit(train_codes, train_labels).predict(codes)
    return float(np.mean(predicted == labels))
