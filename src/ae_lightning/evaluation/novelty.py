"""Whether images of a class that training never saw stand out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from ae_lightning.evaluation.encoded import EncodedSplit
from ae_lightning.evaluation.mixture import CodeMixture
from ae_lightning.evaluation.pixels import mse_per_image
from ae_lightning.labels import MISSING_LABEL


def holds_novelty(evaluated: EncodedSplit, novel_class: int | None) -> bool:
    """Whether a split holds images of the class left out of training, and labelled ones of other classes."""
    if novel_class is None or evaluated.labels is None:
        return False
    classes = set(np.unique(evaluated.labels)) - {MISSING_LABEL}
    return novel_class in classes and len(classes) > 1


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
    return _auroc(mse_per_image(evaluated.images, evaluated.reconstructions), evaluated, novel_class)


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
    assert evaluated.labels is not None
    known = evaluated.labels != MISSING_LABEL
    return float(roc_auc_score(evaluated.labels[known] == novel_class, scores[known]))
