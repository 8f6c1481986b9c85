"""Distances between codes and prior, against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist, pdist

from ae_lightning.judging import chunks
from ae_lightning.judging.measures.active_units import active_units
from ae_lightning.judging.measures.prior import prior_mmd, prior_swd


def normal(num: int, dimension: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(num, dimension)).astype(np.float32)


def mmd_by_definition(codes: np.ndarray, draws: np.ndarray) -> float:
    median = np.median(pdist(np.concatenate([codes, draws]).astype(np.float64)))

    def kernel(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        squared = cdist(first, second, "sqeuclidean")
        return sum(np.exp(-squared / (2 * (scale * median) ** 2)) for scale in (0.25, 0.5, 1, 2, 4))

    def mean_off_diagonal(matrix: np.ndarray) -> float:
        return (matrix.sum() - np.trace(matrix)) / (len(matrix) * (len(matrix) - 1))

    own, drawn = (mean_off_diagonal(kernel(points, points)) for points in (codes, draws))
    return own + drawn - 2 * kernel(codes, draws).mean()


@pytest.mark.parametrize(("num_codes", "num_draws"), [(80, 80), (50, 120)])
def test_mmd_is_its_definition(num_codes: int, num_draws: int, monkeypatch: pytest.MonkeyPatch) -> None:
    codes, draws = 1.5 * normal(num_codes, 5, 0) + 0.5, normal(num_draws, 5, 1)
    expected = mmd_by_definition(codes, draws)
    assert prior_mmd(codes, draws, 0) == pytest.approx(expected, rel=1e-4)
    monkeypatch.setattr(chunks, "MAX_CHUNK_VALUES", 700)
    assert prior_mmd(codes, draws, 0) == pytest.approx(expected, rel=1e-4)


def test_the_bandwidth_is_of_all_classes_though_a_split_is_stored_class_by_class() -> None:
    """2,400 codes of six classes far apart, in order: the first 1,000 would be of three of them."""
    centres = 20 * normal(6, 4, 3)
    codes, draws = centres.repeat(400, axis=0) + normal(2_400, 4, 0), normal(2_400, 4, 1)
    expected = mmd_by_definition(codes, draws)
    shuffled = np.random.default_rng(5).permutation(codes)
    assert prior_mmd(codes, draws, 0) == pytest.approx(expected, rel=0.01)
    assert prior_mmd(shuffled, draws, 0) == pytest.approx(expected, rel=0.01)


def test_mmd_is_unbiased() -> None:
    values = [prior_mmd(normal(60, 3, 2 * seed), normal(60, 3, 2 * seed + 1), seed) for seed in range(200)]
    assert min(values) < 0
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(200)


def test_swd_in_one_dimension_is_the_best_transport() -> None:
    codes, draws = 2 * normal(40, 1, 0) + 1, normal(40, 1, 1)
    cost = cdist(codes, draws, "sqeuclidean")
    rows, columns = linear_sum_assignment(cost)
    assert prior_swd(codes, draws, seed=0) == pytest.approx(np.sqrt(cost[rows, columns].mean()), rel=1e-5)


def test_swd_of_a_shift_is_its_length_over_the_root_of_the_dimension() -> None:
    draws = normal(2_000, 4, 0)
    shift = np.array([3, 0, 0, 4], np.float32)
    assert prior_swd(draws + shift, draws, seed=0) == pytest.approx(5 / 2, rel=0.1)


@pytest.mark.parametrize("distance", [prior_mmd, prior_swd])
def test_distances_grow_with_the_distance(distance) -> None:  # type: ignore[no-untyped-def]
    draws, codes = normal(500, 4, 0), normal(500, 4, 1)
    values = [distance(codes + np.float32(shift), draws, 0) for shift in (0, 0.3, 1, 2)]
    assert values == sorted(values)
    assert abs(values[0]) < values[1] / 2


def test_codes_that_have_collapsed_are_far_from_the_prior() -> None:
    draws = normal(500, 4, 0)
    collapsed = np.zeros((500, 4), np.float32)
    assert prior_mmd(collapsed, draws, 0) > 0.5
    assert prior_swd(collapsed, draws, 0) == pytest.approx(1, rel=0.1)
    assert prior_mmd(collapsed, collapsed, 0) == 0
    assert prior_swd(collapsed, collapsed, 0) == 0


@pytest.mark.parametrize(("dimension", "place"), [(1, 0.0), (3, 0.3), (100, 100.0)])
def test_codes_of_which_half_coincide_are_not_taken_for_the_prior(dimension: int, place: float) -> None:
    """As of a codebook of which one entry is left; of 100 numbers at 100, coinciding points are apart by rounding."""
    entries = place + np.stack([np.zeros(dimension), normal(1, dimension, 0)[0]])
    codes = entries[[0] * 800].astype(np.float32)
    draws = entries[np.random.default_rng(0).integers(0, 2, 800)].astype(np.float32)
    # All that are apart are so by one distance, which is the bandwidth; of 5 kernels each that coincide.
    apart = sum(np.exp(-1 / (2 * scale**2)) for scale in (0.25, 0.5, 1, 2, 4))
    num = int((draws == codes[0]).all(axis=1).sum())
    same = (num * (num - 1) + (800 - num) * (799 - num)) / (800 * 799)
    share = num / 800
    expected = 5 + (5 * same + apart * (1 - same)) - 2 * (5 * share + apart * (1 - share))
    assert prior_mmd(codes, draws, 0) == pytest.approx(expected, rel=1e-3)
    assert expected > 0.5


def test_codes_and_draws_that_all_coincide_are_no_distance_apart() -> None:
    all_one = normal(1, 100, 0).repeat(500, axis=0) + np.float32(100)
    assert prior_mmd(all_one, all_one, 0) == 0


@pytest.mark.parametrize("dimension", [2, 32])
@pytest.mark.parametrize(("num", "expected"), [(50, 0.32), (1_000, 0.08), (5_000, 0.04)])
def test_swd_of_one_distribution_is_what_its_docstring_says(num: int, dimension: int, expected: float) -> None:
    values = [prior_swd(normal(num, dimension, 2 * seed), normal(num, dimension, 2 * seed + 1), 0) for seed in range(3)]
    assert np.mean(values) == pytest.approx(expected, rel=0.25)


def test_swd_compares_as_many_codes_as_draws() -> None:
    with pytest.raises(ValueError, match=r"\(3, 2\) for draws of \(4, 2\)"):
        prior_swd(np.zeros((3, 2), np.float32), np.zeros((4, 2), np.float32), 0)


def test_active_units_vary_by_more_than_a_hundredth() -> None:
    codes = normal(5_000, 4, 0) * np.sqrt([1, 0.02, 0.005, 0]).astype(np.float32) + 7
    assert active_units(codes) == 2
