"""How well a few examples of each class serve to recognise it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ae_lightning.judging.case import Case
from ae_lightning.judging.encoded import EncodedSplit
from ae_lightning.judging.measure import Direction, Measure

NUM_EXAMPLES = (1, 5, 10)
NUM_DRAWS = 20


class FewShot(Measure):
    """Accuracies from one, five and ten examples a class."""

    name = "few_shot"
    goal = "classify"
    metrics: ClassVar[Mapping[str, Direction]] = {
        "few_shot_accuracy_1": "higher",
        "few_shot_accuracy_5": "higher",
        "few_shot_accuracy_10": "higher",
    }
    needs = frozenset({"labels", "training labels"})

    def compute(self, case: Case) -> dict[str, float]:
        """See ``Measure.compute``."""
        return few_shot_accuracies(case.train, case.evaluated, case.seed)


def few_shot_accuracies(train: EncodedSplit, evaluated: EncodedSplit, seed: int) -> dict[str, float]:
    """Classify by the nearest mean of n training codes a class, over 20 draws of them (Snell, Swersky and Zemel 2017).

    Args:
        train: Labelled codes that the examples are drawn from, without replacement; unlabelled images are left out.
        evaluated: Labelled codes to classify; unlabelled images are left out.
        seed: Fixes the draws.

    Returns:
        ``few_shot_accuracy_1``, ``_5`` and ``_10`` in [0, 1], each the mean over the draws. A class with fewer than n
        examples gives all it has, and where no class has n the value is left out. An image of a class without training
        codes counts as wrong.

    Raises:
        ValueError: If a split has no labels.
    """
    from sklearn.metrics import pairwise_distances_argmin

    train_codes, train_labels = train.labelled()
    codes, labels = evaluated.labelled()
    classes, counts = np.unique(train_labels, return_counts=True)
    members = [np.flatnonzero(train_labels == one) for one in classes]
    values = {}
    for num in NUM_EXAMPLES:
        if counts.max() < num:
            continue
        rng = np.random.default_rng([seed, num])
        accuracies = []
        for _ in range(NUM_DRAWS):
            centroids = np.stack([_mean_of_few(train_codes, own, num, rng) for own in members])
            accuracies.append((classes[pairwise_distances_argmin(codes, centroids)] == labels).mean())
        values[f"few_shot_accuracy_{num}"] = float(np.mean(accuracies))
    return values


def _mean_of_few(
    codes: NDArray[np.float32], members: NDArray[np.int64], num: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    chosen = rng.choice(members, min(num, len(members)), replace=False)
    return np.asarray(codes[chosen].mean(axis=0, dtype=np.float64), dtype=np.float32)
