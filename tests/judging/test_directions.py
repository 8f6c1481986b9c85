"""Which way each metric is better, and which of several values is the best."""

from __future__ import annotations

import math

import pytest

from ae_lightning.judging.case import NEEDS, Case
from ae_lightning.judging.directions import best_places, is_measure, metric_names
from ae_lightning.judging.measure import Measure, known_measures

LOWER = {"mse", "prior_mmd", "prior_swd", "sample_frechet", "sample_frechet_gmm"}
WITHOUT = {"active_units", "bits_per_pixel", "sample_frechet_floor"}
HIGHER = {
    *("model_clusters_accuracy", "model_clusters_ari", "model_clusters_nmi"),
    *("class_gaussian_accuracy", "compression_psnr", "denoising_psnr_gain", "few_shot_accuracy_1"),
    *("few_shot_accuracy_5", "few_shot_accuracy_10", "gmm_accuracy", "hash_map", "kmeans_accuracy", "kmeans_ari"),
    *(
        "kmeans_nmi",
        "knn_accuracy",
        "model_clusters_accuracy",
        "model_clusters_ari",
        "model_clusters_nmi",
        "linear_probe_accuracy",
        "nearest_centroid_accuracy",
        "novelty_auroc",
    ),
    *("novelty_auroc_code", "overlay_one_accuracy", "overlay_pair_accuracy", "psnr", "retrieval_map", "ssim"),
}


class Sharpness(Measure):
    """A user's own."""

    name = "sharpness"
    metrics = {"sharpness": "lower"}  # noqa: RUF012  # as a user would write it

    def compute(self, case: Case) -> dict[str, float]:
        return {"sharpness": 0.0}


def directed(direction: str) -> set[str]:
    return {name for measure in known_measures() for name, own in measure.metrics.items() if own == direction}


def test_each_metric_has_its_direction_and_one_measure() -> None:
    assert (directed("lower"), directed("higher"), directed("none")) == (LOWER, HIGHER, WITHOUT)
    assert len(metric_names()) == sum(len(measure.metrics) for measure in known_measures())


def test_measures_need_what_a_case_may_hold() -> None:
    for measure in known_measures():
        assert measure.needs <= NEEDS
        assert all(measure.metrics[name] == "lower" for name in measure.not_below_zero)


@pytest.mark.parametrize(
    ("name", "best"), [("mse", {1}), ("ssim", {2}), ("active_units", set()), ("bits_per_pixel", set()), ("kl", set())]
)
def test_the_best_is_the_least_or_the_greatest_or_none(name: str, best: set[int]) -> None:
    assert best_places(name, (0.2, 0.1, 0.3)) == best


def test_the_best_of_several_values_have_places() -> None:
    assert best_places("ssim", (0.3, 0.1, 0.3)) == {0, 2}
    assert best_places("mse", (math.nan, 0.1, -math.inf)) == {1}
    assert best_places("mse", (math.nan,)) == best_places("kl", (0.2, 0.1)) == best_places("mse", ()) == set()


def test_estimates_below_zero_are_equally_good() -> None:
    assert best_places("prior_mmd", (-5e-4, 0.01, -7e-4, 0.0)) == {0, 2, 3}
    assert best_places("prior_mmd", (-0.004, -0.001)) == {0, 1}
    assert best_places("prior_mmd", (0.01, 0.002)) == {1}
    assert best_places("prior_mmd", (math.nan, -math.inf, 0.002)) == {2}


def test_a_users_own_measure_knows_its_direction_where_it_is_at_hand() -> None:
    assert best_places("sharpness", (0.2, 0.1)) == set()
    assert best_places("sharpness", (0.2, 0.1), [Sharpness()]) == {1}


@pytest.mark.parametrize(
    ("logged", "expected"), [("val/mse", True), ("val/pca_psnr", True), ("val/loss", False), ("val/kl", False)]
)
def test_measures_are_told_from_terms(logged: str, expected: bool) -> None:
    assert is_measure(logged) == expected
