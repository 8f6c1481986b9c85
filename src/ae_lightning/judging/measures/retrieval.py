"""Whether images of the same class are found first when one searches by code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ae_lightning.judging.case import Case
from ae_lightning.judging.distances import Points
from ae_lightning.judging.encoded import EncodedSplit
from ae_lightning.judging.measure import Direction, Measure

NUM_QUERIES = 1_000
"""Evaluated images that are searched with: a fixed random sample, or all where there are fewer."""

MAX_RETRIEVED_CODES = 100_000
"""Training codes that are searched through; of larger sets a fixed random sample."""

_QUERY_SEED = 0

QUERIES_AT_ONCE = 16
"""Queries whose distances are held at once: 13 MiB for 100,000 codes."""

Precisions = Callable[[NDArray[np.float32], NDArray[np.bool_]], NDArray[np.float64]]
"""From codes of queries, and which training codes are relevant to each, to their average precisions."""


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
    (searched, train_labels), queries = _searched(train, seed), _queries(evaluated)
    points = Points(searched)
    return _mean_average_precision(
        *queries,
        train_labels,
        lambda codes, is_relevant: average_precisions(points.squared_distances(codes).astype(np.float32), is_relevant),
    )


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
    (searched, train_labels), (codes, labels) = _searched(train, seed), _queries(evaluated)
    medians = np.median(searched, axis=0)
    # Products of bits with negated bits count where they differ: exact in float32, and nothing is quicker.
    differing, num_distances = _bits(searched <= medians), codes.shape[1] + 1
    return _mean_average_precision(
        _bits(codes > medians),
        labels,
        train_labels,
        lambda bits, is_relevant: average_precisions_of_counts(
            (bits @ differing.T).astype(np.int64), is_relevant, num_distances
        ),
    )


def _searched(train: EncodedSplit, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    return train.labelled(MAX_RETRIEVED_CODES, seed)


def _queries(evaluated: EncodedSplit) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    return evaluated.labelled(NUM_QUERIES, _QUERY_SEED)


def average_precisions(distances: NDArray[np.float32], is_relevant: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Average precision of each row: over the relevant, the share of relevant ones among all that are as near.

    Args:
        distances: From each query to each code, or what grows with it, shape (Q, N).
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


def average_precisions_of_counts(
    distances: NDArray[np.int64], is_relevant: NDArray[np.bool_], num_distances: int
) -> NDArray[np.float64]:
    """Average precision of each row, as ``average_precisions`` gives it, where distances are few whole numbers.

    Args:
        distances: From 0 to ``num_distances`` − 1, shape (Q, N).
        is_relevant: Shape (Q, N).
        num_distances: How many there are.

    Returns:
        Shape (Q,); 0 for a query with nothing relevant.
    """
    rows = list(zip(distances, is_relevant, strict=True))
    relevant = np.stack([np.bincount(row[chosen], minlength=num_distances) for row, chosen in rows])
    as_near = np.cumsum([np.bincount(row, minlength=num_distances) for row in distances], axis=1)
    shares = np.cumsum(relevant, axis=1) / np.maximum(as_near, 1)
    return np.asarray((relevant * shares).sum(axis=1) / np.maximum(relevant.sum(axis=1), 1))


def _mean_average_precision(
    codes: NDArray[np.float32], labels: NDArray[np.int64], train_labels: NDArray[np.int64], precisions: Precisions
) -> float:
    starts = range(0, len(codes), QUERIES_AT_ONCE)
    pieces = [slice(start, start + QUERIES_AT_ONCE) for start in starts]
    found = [precisions(codes[rows], labels[rows, None] == train_labels) for rows in pieces]
    return float(np.concatenate(found).mean())


def _bits(is_set: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return bits and their negations, from shape (N, d) to (N, 2 d)."""
    return np.concatenate([is_set, ~is_set], axis=1).astype(np.float32)
