"""Whether images of a class that training never saw stand out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ae_lightning.judging.case import Case
from ae_lightning.judging.encoded import EncodedSplit
from ae_lightning.judging.measure import Direction, Measure
from ae_lightning.judging.mixture import CodeMixture
from ae_lightning.judging.pixels import mse_per_image
from ae_lightning.labels import MISSING_LABEL


class Novelty(Measure):
    """Whether the class left out of training stands out by its error, and by its codes."""

    name = "novelty"
    goal = "detect"
    metrics: ClassVar[Mapping[str, Direction]] = {"novelty_auroc": "higher", "novelty_auroc_code": "higher"}
    needs = frozenset({"reconstructions", "novel class"})

    def compute(self, case: Case) -> dict[str, float]:
        """See ``Measure.compute``."""
        assert case.novel_class is not None
        return {
            "novelty_auroc": novelty_auroc(case.evaluated, case.novel_class),
            "novelty_auroc_code": novelty_auroc_code(case.mixture, case.evaluated, case.novel_class),
        }


def novelty_auroc(evaluated: EncodedSplit, novel_class: int) -> float:
    """Area under the ROC curve of telling the novel class by its reconstruction error.

    Args:
        evaluated: Split with reconstructions, and labels of the novel class and of others; unlabelled images are left
            out.
        novel_class: The class left out of training.

    Returns:
        The probability, in [0, 1], that a novel image has a higher mean squared error than a known one.
    """
    assert evaluated.reconstructions is not None
    return _auroc(mse_per_image(evaluated.x, evaluated.reconstructions), evaluated, novel_class)


def novelty_auroc_code(mixture: CodeMixture, evaluated: EncodedSplit, novel_class: int) -> float:
    """Area under the ROC curve of telling the novel class by how unlikely its codes are.

    Args:
        mixture: Gaussian mixture fitted to training codes.
        evaluated: Split with labels of the novel class and of others; unlabelled images are left out.
        novel_class: The class left out of training.

    Returns:
        The probability, in [0, 1], that a novel code has a lower likelihood than a known one.
    """
    return _auroc(-mixture.log_likelihood(evaluated.codes), evaluated, novel_class)


def _auroc(scores: NDArray[np.float64], evaluated: EncodedSplit, novel_class: int) -> float:
    from sklearn.metrics import roc_auc_score

    assert evaluated.labels is not None
    known = evaluated.labels != MISSING_LABEL
    return float(roc_auc_score(evaluated.labels[known] == novel_class, scores[known]))
