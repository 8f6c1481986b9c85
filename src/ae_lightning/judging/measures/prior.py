"""How far the codes are from the prior that samples are drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ae_lightning.judging.case import Case
from ae_lightning.judging.chunks import cached_chunks, sample_rows
from ae_lightning.judging.distances import Points
from ae_lightning.judging.measure import Direction, Measure

MAX_COMPARED_CODES = 5_000
"""Codes that are compared with as many draws of the prior; of larger splits a fixed random sample."""

NUM_DIRECTIONS = 200

_NUM_FOR_MEDIAN = 1_000
_WIDEST = 4.0
# From the widest bandwidth down, each is half the one before: its kernel is the fourth power of the wider one.
_NUM_BANDWIDTHS = 5


class PriorDistance(Measure):
    """Distances between the codes and the prior."""

    name = "prior"
    goal = "generate"
    metrics: ClassVar[Mapping[str, Direction]] = {"prior_mmd": "lower", "prior_swd": "lower"}
    needs = frozenset({"model", "two images"})
    not_below_zero = frozenset({"prior_mmd"})

    def compute(self, case: Case) -> dict[str, float]:
        """See ``Measure.compute``."""
        model, compared = case.given_model, case.evaluated.sample(MAX_COMPARED_CODES, case.seed)
        codes = model.draw_posterior(compared.x, case.seed, compared.labels)
        draws = model.features(model.draw_prior(len(compared), case.seed))
        return {"prior_mmd": prior_mmd(codes, draws, case.seed), "prior_swd": prior_swd(codes, draws, case.seed)}


def prior_mmd(codes: NDArray[np.float32], draws: NDArray[np.float32], seed: int) -> float:
    """Unbiased squared maximum mean discrepancy between codes and draws of the prior (Gretton et al. 2012, lemma 6).

    The kernel is the sum of exp(−‖x − y‖² / 2σ²) at σ = 0.25, 0.5, 1, 2 and 4 times the median distance between
    different points of the two sets together, on a random 1,000 of each: the first would be those of some classes
    alone where a split is stored class by class. Where half of the pairs coincide, as those of codes that have
    collapsed do, the median is that of the others.

    Args:
        codes: Shape (N, d), N ≥ 2.
        draws: Shape (M, d), M ≥ 2.
        seed: Fixes which ones the median is of.

    Returns:
        MMD², 0 in the mean where both have one distribution, and slightly negative at times; at most 10.
    """
    width = _median_distance(codes, draws, seed)
    if width == 0:
        # All points coincide.
        return 0.0
    own = _kernel_sum(codes, codes, width) - _NUM_BANDWIDTHS * len(codes)
    drawn = _kernel_sum(draws, draws, width) - _NUM_BANDWIDTHS * len(draws)
    across = _kernel_sum(codes, draws, width)
    pairs = len(codes) * (len(codes) - 1), len(draws) * (len(draws) - 1), len(codes) * len(draws)
    return own / pairs[0] + drawn / pairs[1] - 2 * across / pairs[2]


def prior_swd(codes: NDArray[np.float32], draws: NDArray[np.float32], seed: int) -> float:
    """Sliced Wasserstein-2 distance between codes and draws of the prior (Bonneel et al. 2015).

    Two sets of draws of one prior are apart too, the more the fewer they are: of N(0, I), in 2 dimensions as in 128, by
    0.04 where there are 5,000 of each, by 0.08 where there are 1,000, and by 0.32 where there are 50. Values of splits
    of different size can be compared only well above that.

    Args:
        codes: Shape (N, d).
        draws: Of the same shape.
        seed: Fixes the 200 directions, uniform on the sphere.

    Returns:
        The root of the mean, over directions, of the squared Wasserstein-2 distance between the projections; in the
        units of the codes, 0 at best.

    Raises:
        ValueError: If the shapes differ.
    """
    if codes.shape != draws.shape:
        raise ValueError(f"codes of shape {codes.shape} for draws of {draws.shape}")
    directions = np.random.default_rng(seed).normal(size=(codes.shape[1], NUM_DIRECTIONS))
    directions /= np.linalg.norm(directions, axis=0)
    projected, expected = (np.sort(points @ directions, axis=0) for points in (codes, draws))
    return float(np.sqrt(np.square(projected - expected).mean()))


def _median_distance(codes: NDArray[np.float32], draws: NDArray[np.float32], seed: int) -> float:
    from sklearn.metrics.pairwise import euclidean_distances

    points = np.concatenate([sample_rows(rows, _NUM_FOR_MEDIAN, seed) for rows in (codes, draws)]).astype(np.float64)
    distances = euclidean_distances(points)
    # Of points that coincide, its ‖x‖² + ‖y‖² − 2 x·y leaves rounding.
    distances[distances < np.finfo(np.float32).eps * np.linalg.norm(points, axis=1)[:, None]] = 0
    of_pairs = distances[np.triu_indices(len(points), k=1)]
    apart = of_pairs[of_pairs > 0]
    return float(np.median(of_pairs)) or float(np.median(apart) if len(apart) else 0.0)


def _kernel_sum(first: NDArray[np.float32], second: NDArray[np.float32], width: float) -> float:
    """Sum the kernels of all pairs of rows; the powers spare four exponentials of five."""
    total, points = 0.0, Points(second)
    for rows in cached_chunks(len(first), len(second)):
        kernel = points.squared_distances(first[rows])
        kernel /= -2 * (_WIDEST * width) ** 2
        np.exp(kernel, out=kernel)
        total += float(kernel.sum())
        for _ in range(_NUM_BANDWIDTHS - 1):
            np.square(kernel, out=kernel)
            np.square(kernel, out=kernel)
            total += float(kernel.sum())
    return total
