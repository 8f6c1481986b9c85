"""Which cluster stands for which class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Match:
    """Classes matched to clusters, one-to-one.

    Attributes:
        classes: Classes that have images, ascending, shape (K,).
        clusters: Clusters that have images, ascending, shape (M,).
        counts: Images of each class in each cluster, shape (K, M).
        rows: Positions in ``classes`` of those that are matched, ascending, shape (min(K, M),).
        columns: Positions in ``clusters`` of those that they are matched to, of the same shape.
    """

    classes: NDArray[np.int64]
    clusters: NDArray[np.int64]
    counts: NDArray[np.int64]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]

    @property
    def num_right(self) -> int:
        """Images whose cluster is matched to their class."""
        return int(self.counts[self.rows, self.columns].sum())


def match_classes(labels: NDArray[np.int64], clusters: NDArray[np.int64]) -> Match:
    """Match clusters to classes so that as many images as possible are right, by the Hungarian method (Kuhn 1955).

    Args:
        labels: Class of each image, shape (N,), N at least 1.
        clusters: Cluster of each image, shape (N,), under any names.
    """
    from scipy.optimize import linear_sum_assignment

    (classes, rows), (found, columns) = (np.unique(names, return_inverse=True) for names in (labels, clusters))
    counts = np.zeros((len(classes), len(found)), dtype=np.int64)
    np.add.at(counts, (rows, columns), 1)
    return Match(classes, found, counts, *linear_sum_assignment(counts, maximize=True))
