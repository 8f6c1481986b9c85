"""Whether images of the same class are found first when one searches by code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ae_lightning.judging.case import Case
from ae_lightning.judging.chunks import chunks
from ae_lightning.judging.encoded import EncodedSplit
from ae_lightning.judging.measure import Direction, Measure

NUM_QUERIES = 1_000
"""Evaluated images that are searched with: a fixed random sample, or all where there are fewer."""

MAX_RETRIEVED_CODES = 100_000
"""Training codes that are searched through; of larger sets a fixed random sample."""

_QUERY_SEED = 0

Distances = Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.float32]]


class Retrieval(Measure):
    """Mean average precision of a search by code, and by its binary hash."""

    name = "retrieval"
    goal = "classify"
    metrics: ClassVar[Mapping[str, Direction]] = {"retrieval_map": "higher", "hash_map": "higher"}
    needs = frozenset({"labels", "training labels"})

    def compute(self, case: Case) -> dict[str, float]:
        """See ``Measure.compute``."""
        splits = case.train, case.evaluated
        return {"retrieval_map": retrieval_map(*splits, case.seed), "hash_map": hash_map(*splits, case.seed)}


def retrieval_map(train: EncodedSplit, evaluated: EncodedSplit, seed: int) -> float:
    """Mean average precision of training codes ranked by their Euclidean distance to a query's code.

    A training image is relevant where it has the query's class. Codes at the same distance share the last rank of all
    of them.

    Args:
        train: Labelled codes to search through; unlabelled images are left out.
        evaluated: Labelled codes to search with, the same ``NUM_QUERIES`` of them whatever the seed.
        seed: Fixes the sample of a training set larger than ``MAX_RETRIEVED_CODES``.

    Returns:
        The mean in [0, 1]. A query whose class has no training codes counts as 0.

    Raises:
        ValueError: If a split has no labels.
    """
    from sklearn.metrics.pairwise import euclidean_distances

    searched, queries = train.labelled(MAX_RETRIEVED_CODES, seed), evaluated.labelled(NUM_QUERIES, _QUERY_SEED)
    return _mean_average_precision(*searched, *queries, euclidean_distances)


def hash_map(train: EncodedSplit, evaluated: EncodedSplit, seed: int) -> float:
    """Mean average precision by the Hamming distance of binary codes: semantic hashing (Salakhutdinov and Hinton 2009).

    Each dimension gives one bit: whether the code lies above the dimension's median over the training codes; at the
    median it is 0. Codes at the same distance, which are many, share the last rank of all of them, as in scikit-learn's
    ``average_precision_score``: a search that shows them in some order has about as much or, by luck, more. Where all
    codes coincide, each query has the share of its class.

    Args:
        train: Labelled codes to search through; unlabelled images are left out.
        evaluated: Labelled codes to search with, the same ``NUM_QUERIES`` of them whatever the seed.
        seed: Fixes the sample of a training set larger than ``MAX_RETRIEVED_CODES``.

    Returns:
        The mean in [0, 1]. A query whose class has no training codes counts as 0.

    Raises:
        ValueError: If a split has no labels.
    """
    train_codes, train_labels = train.labelled(MAX_RETRIEVED_CODES, seed)
    codes, labels = evaluated.labelled(NUM_QUERIES, _QUERY_SEED)
    medians = np.median(train_codes, axis=0)
    return _mean_average_precision(
        _signs(train_codes, medians), train_labels, _signs(codes, medians), labels, _hamming_distances
    )


def average_precisions(distances: NDArray[np.float32], is_relevant: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Average precision of each row: over the relevant, the share of relevant ones among all that are as near.

    Args:
        distances: From each query to each code, shape (Q, N).
        is_relevant: Shape (Q, N).

    Returns:
        Shape (Q,); 0 for a query with nothing relevant.
    """
    precisions = np.zeros(len(distances))
    for query, (row, relevant) in enumerate(zip(distances, is_relevant, strict=True)):
        nearest = np.sort(row[relevant])
        if len(nearest):
            # "right" counts all at the same distance, so that draws share a rank.
            hits = np.searchsorted(nearest, nearest, side="right")
            precisions[query] = (hits / np.searchsorted(np.sort(row), nearest, side="right")).mean()
    return precisions


def _mean_average_precision(
    train_codes: NDArray[np.float32],
    train_labels: NDArray[np.int64],
    codes: NDArray[np.float32],
    labels: NDArray[np.int64],
    distances: Distances,
) -> float:
    precisions = [
        average_precisions(distances(codes[rows], train_codes), labels[rows, None] == train_labels)
        for rows in chunks(len(codes), len(train_codes))
    ]
    return float(np.concatenate(precisions).mean())


def _signs(codes: NDArray[np.float32], medians: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.where(codes > medians, np.float32(1), np.float32(-1))


def _hamming_distances(signs: NDArray[np.float32], train_signs: NDArray[np.float32]) -> NDArray[np.float32]:
    # Products of signs are whole numbers, exact in float32, and a matrix product is the quickest way to them.
    return np.asarray((signs.shape[1] - signs @ train_signs.T) / 2, dtype=np.float32)
