"""Whether the nearest training codes of an image show its class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ae_lightning.judging.case import Case
from ae_lightning.judging.centre import centre_of
from ae_lightning.judging.chunks import chunks
from ae_lightning.judging.encoded import EncodedSplit
from ae_lightning.judging.measure import Direction, Measure

NUM_NEIGHBOURS = 5
MAX_QUERIES = 10_000
"""Evaluated images whose neighbours are looked up; of larger splits a fixed random sample."""

MAX_SMALL_SET = 10_000
"""Training codes up to which scikit-learn finds the neighbours; beyond, faiss is twice as fast and as exact."""


class NearestNeighbourVote(Measure):
    """Accuracy of a vote of the nearest training codes."""

    name = "knn"
    goal = "classify"
    metrics: ClassVar[Mapping[str, Direction]] = {"knn_accuracy": "higher"}
    needs = frozenset({"labels", "training labels"})

    def compute(self, case: Case) -> dict[str, float]:
        """See ``Measure.compute``."""
        return {"knn_accuracy": knn_accuracy(case.train, case.evaluated, case.seed)}


def knn_accuracy(train: EncodedSplit, evaluated: EncodedSplit, seed: int) -> float:
    """Give each image the class that most of its 5 nearest training codes have, by Euclidean distance.

    The search is exact. Where classes draw, the one with the lowest number wins, as in scikit-learn.

    Args:
        train: Labelled codes; unlabelled images are left out. Where there are fewer than 5, all of them vote.
        evaluated: Labelled codes to classify; unlabelled images are left out.
        seed: Fixes the sample of a split larger than ``MAX_QUERIES``.

    Returns:
        The accuracy in [0, 1]. An image of a class without training codes counts as wrong.

    Raises:
        ValueError: If a split has no labels.
    """
    train_codes, train_labels = train.labelled()
    codes, labels = evaluated.labelled(MAX_QUERIES, seed)
    classes, train_classes = np.unique(train_labels, return_inverse=True)
    voters = train_classes[nearest(train_codes, codes, min(NUM_NEIGHBOURS, len(train_codes)))]
    votes = np.stack([(voters == one).sum(axis=1) for one in range(len(classes))])
    return float((classes[votes.argmax(axis=0)] == labels).mean())


def nearest(train_codes: NDArray[np.float32], codes: NDArray[np.float32], num: int) -> NDArray[np.int64]:
    """Find the nearest training codes of each code, by Euclidean distance, exactly.

    Args:
        train_codes: Shape (N, d).
        codes: Shape (M, d).
        num: How many to find, at most N.

    Returns:
        Positions in the training codes, the nearest first, shape (M, num).
    """
    if len(train_codes) <= MAX_SMALL_SET:
        from sklearn.neighbors import NearestNeighbors

        search = NearestNeighbors(n_neighbors=num).fit(train_codes)
        return np.asarray(search.kneighbors(codes, return_distance=False), dtype=np.int64)
    import faiss

    centre = centre_of(train_codes)
    index = faiss.IndexFlatL2(train_codes.shape[1])
    for rows in chunks(len(train_codes), codes.shape[1]):
        index.add(np.ascontiguousarray(train_codes[rows] - centre))
    pieces = chunks(len(codes), codes.shape[1])
    return np.concatenate([index.search(np.ascontiguousarray(codes[rows] - centre), num)[1] for rows in pieces])
