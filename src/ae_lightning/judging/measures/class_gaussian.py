"""How well Gaussians of the classes' training codes tell the classes of evaluated codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ae_lightning.judging.case import Case
from ae_lightning.judging.chunks import chunks
from ae_lightning.judging.encoded import EncodedSplit
from ae_lightning.judging.gaussian import COVARIANCE_FLOOR, Whitening
from ae_lightning.judging.measure import Direction, Measure


class ClassGaussian(Measure):
    """Accuracy of one Gaussian a class."""

    name = "class_gaussian"
    goal = "classify"
    metrics: ClassVar[Mapping[str, Direction]] = {"class_gaussian_accuracy": "higher"}
    cost = "cheap"
    needs = frozenset({"labels", "training labels"})

    def compute(self, case: Case) -> dict[str, float]:
        """See ``Measure.compute``."""
        return {"class_gaussian_accuracy": class_gaussian_accuracy(case.train, case.evaluated)}


def class_gaussian_accuracy(train: EncodedSplit, evaluated: EncodedSplit) -> float:
    """Share of images whose code is likeliest under the Gaussian of their own class, without class priors.

    Quadratic discriminant analysis with equal priors. Each class has a full covariance, estimated from its
    training codes, with ``COVARIANCE_FLOOR`` of all training codes' covariance added to it: a class with
    fewer images than dimensions, and a collapsed dimension, keep a finite likelihood, and an affine map of the codes
    changes nothing. (So nothing says how wide a class is along axes on which it has too few images: there the accuracy
    is worth little.)

    Args:
        train: Labelled codes that give the Gaussians; unlabelled images are left out.
        evaluated: Labelled codes to classify; unlabelled images are left out.

    Returns:
        The accuracy in [0, 1]. An image of a class without training codes counts as wrong.

    Raises:
        ValueError: If a split has no labels.
    """
    train_codes, train_labels = train.labelled()
    codes, labels = evaluated.labelled()
    whitening = Whitening.of(train_codes)
    white_train, white = whitening.apply(train_codes), whitening.apply(codes)
    classes = np.unique(train_labels)
    scores = np.stack([_log_likelihood(white_train[train_labels == one], white) for one in classes])
    return float((classes[scores.argmax(axis=0)] == labels).mean())


def _log_likelihood(fitted: NDArray[np.float64], codes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log-density of codes (M, d) under the Gaussian of ``fitted`` (n, d), up to a constant shared by all."""
    from scipy.linalg import cholesky, solve_triangular

    mean = fitted.mean(axis=0)
    centred = fitted - mean
    covariance = centred.T @ centred / max(1, len(fitted) - 1)
    covariance[np.diag_indices_from(covariance)] += COVARIANCE_FLOOR
    factor = cholesky(covariance, lower=True)
    log_determinant = 2 * np.log(np.diag(factor)).sum()
    distances = np.empty(len(codes))
    for rows in chunks(len(codes), codes.shape[1]):
        whitened = solve_triangular(factor, (codes[rows] - mean).T, lower=True)
        distances[rows] = np.square(whitened).sum(axis=0)
    return np.asarray(-0.5 * (distances + log_determinant), dtype=np.float64)
