"""The registry: which measures run, under which names, on which splits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ae_lightning.errors import ConfigError
from ae_lightning.evaluation.clustering import kmeans
from ae_lightning.evaluation.encoded import EncodedSplit
from ae_lightning.evaluation.measures import MEASURES, run_measures, select_measures
from ae_lightning.evaluation.pca import pca_counterpart

PIXEL_METRICS = ["mse", "psnr", "ssim"]
CODE_METRICS = [
    "kmeans_accuracy",
    "kmeans_nmi",
    "kmeans_ari",
    "gmm_accuracy",
    "nearest_centroid_accuracy",
    "class_gaussian_accuracy",
]

Blobs = tuple[EncodedSplit, EncodedSplit]


def test_all_gives_every_metric_and_the_seconds_of_every_measure(blobs: Blobs) -> None:
    results = run_measures("all", *blobs, seed=0)
    assert list(results.values) == PIXEL_METRICS + CODE_METRICS
    assert list(results.seconds) == [measure.name for measure in MEASURES]
    assert all(isinstance(value, float) for value in results.values.values())
    assert all(seconds >= 0 for seconds in results.seconds.values())


def test_cheap_gives_the_cheap_ones(blobs: Blobs) -> None:
    results = run_measures("cheap", *blobs, seed=0)
    assert "gmm_accuracy" not in results.values
    assert {"mse", "kmeans_accuracy", "nearest_centroid_accuracy"} <= set(results.values)
    assert set(results.seconds) == {measure.name for measure in MEASURES if measure.cost == "cheap"}


def test_chosen_names_run_alone_and_give_what_their_function_gives(blobs: Blobs) -> None:
    results = run_measures(["kmeans", "mse", "mse"], *blobs, seed=4)
    assert list(results.seconds) == ["mse", "kmeans"]
    assert results.values == {"mse": 0.0} | kmeans(*blobs, seed=4)
    assert run_measures([], *blobs, seed=0).values == {}


@pytest.mark.parametrize("names", [["mse", "kmean"], "kmean"])
def test_an_unknown_name_is_refused_with_the_nearest(names: list[str] | str) -> None:
    with pytest.raises(ConfigError, match=r"evaluation\.measures: 'kmean' .* did you mean 'kmeans'"):
        select_measures(names)  # type: ignore[arg-type]


def test_names_are_unique() -> None:
    names = [measure.name for measure in MEASURES]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("labels", [None, np.full(90, -1)])
def test_unlabelled_images_have_pixel_metrics_alone(blobs: Blobs, labels: np.ndarray | None) -> None:
    train, evaluated = blobs
    results = run_measures("all", train, replace(evaluated, labels=labels), seed=0)
    assert list(results.values) == PIXEL_METRICS


def test_unlabelled_training_images_still_cluster(blobs: Blobs) -> None:
    train, evaluated = blobs
    results = run_measures("all", replace(train, labels=None), evaluated, seed=0)
    assert list(results.values) == PIXEL_METRICS + CODE_METRICS[:4]


def test_without_reconstructions_code_metrics_are_left(blobs: Blobs) -> None:
    train, evaluated = blobs
    results = run_measures("all", train, replace(evaluated, reconstructions=None), seed=0)
    assert list(results.values) == CODE_METRICS


def test_a_pca_split_is_judged_by_the_same_measures(blobs: Blobs) -> None:
    rng = np.random.default_rng(0)
    noisy = [replace(one, images=rng.random(one.images.shape, dtype=np.float32)) for one in blobs]
    results = run_measures("all", *pca_counterpart(noisy[0], noisy[1], latent_dim=4, seed=0), seed=0)
    assert list(results.values) == PIXEL_METRICS + CODE_METRICS
    assert np.isfinite(list(results.values.values())).all()


def test_values_that_are_not_finite_are_counted(blobs: Blobs) -> None:
    train, evaluated = blobs
    codes = evaluated.codes.copy()
    codes[[3, 5], 0] = [np.nan, np.inf]
    with pytest.raises(ValueError, match="2 of 90 evaluated codes are not finite"):
        run_measures("all", train, replace(evaluated, codes=codes), seed=0)
    images = evaluated.images.copy()
    images[7] = np.nan
    with pytest.raises(ValueError, match="1 of 90 reconstructions are not finite"):
        run_measures("all", train, replace(evaluated, reconstructions=images), seed=0)
    with pytest.raises(ValueError, match="300 of 300 training codes"):
        run_measures("all", replace(train, codes=train.codes * np.nan), evaluated, seed=0)


def test_codes_of_another_size_are_refused(blobs: Blobs) -> None:
    train, evaluated = blobs
    with pytest.raises(ValueError, match="training codes have 3 dimensions, evaluated ones 4"):
        run_measures("all", replace(train, codes=train.codes[:, :3]), evaluated, seed=0)
