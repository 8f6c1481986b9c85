"""The registry: which measures run, under which names, on which splits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pca_of_splits import pca_counterpart

from ae_lightning.errors import ConfigError, NotFiniteError
from ae_lightning.judging import chunks
from ae_lightning.judging.altered_images import CorruptedImages, OverlaidImages
from ae_lightning.judging.case import Case
from ae_lightning.judging.clustering import cluster_agreement, kmeans_clusters
from ae_lightning.judging.directions import metric_names
from ae_lightning.judging.encoded import EncodedSplit
from ae_lightning.judging.measure import (
    Measure,
    MeasureResults,
    known_measures,
    needs_of,
    run_measures,
    select_measures,
)
from ae_lightning.judging.measures.sample_frechet import frechet_distance
from ae_lightning.judging.numpy_model import NumpyModel

PIXEL_METRICS = ["mse", "psnr", "ssim"]
CODE_METRICS = [
    "kmeans_accuracy",
    "kmeans_nmi",
    "kmeans_ari",
    "gmm_accuracy",
    "nearest_centroid_accuracy",
    "class_gaussian_accuracy",
    "active_units",
    "linear_probe_accuracy",
    "knn_accuracy",
    "few_shot_accuracy_1",
    "few_shot_accuracy_5",
    "few_shot_accuracy_10",
    "retrieval_map",
    "hash_map",
]
UNLABELLED_CODE_METRICS = ["active_units"]
MODEL_METRICS = [
    "denoising_psnr_gain",
    "prior_mmd",
    "prior_swd",
    "sample_frechet",
    "sample_frechet_gmm",
    "sample_frechet_floor",
    "bits_per_pixel",
    "compression_psnr",
    "overlay_pair_accuracy",
    "overlay_one_accuracy",
    "model_clusters_accuracy",
    "model_clusters_nmi",
    "model_clusters_ari",
]
UNLABELLED_MODEL_METRICS = ["denoising_psnr_gain", "prior_mmd", "prior_swd", "bits_per_pixel", "compression_psnr"]
NOVELTY_METRICS = ["novelty_auroc", "novelty_auroc_code"]

Blobs = tuple[EncodedSplit, EncodedSplit]

NUM_TRAIN = 1_000
"""Images of a split, as many as the Fréchet distance takes at least."""


def run(names: list[str] | str, train: EncodedSplit, evaluated: EncodedSplit, seed: int) -> MeasureResults:
    return run_measures(chosen(names), Case(train, evaluated, seed))


def chosen(names: list[str] | str) -> tuple[Measure, ...]:
    return select_measures("evaluation.measures", names)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def full_case() -> Case:
    """Images of three classes, encoded by PCA, with all that a measure may ask for; class 2 is novel."""
    rng = np.random.default_rng(0)
    patterns = rng.random((3, 1, 6, 6))

    def split(num: int, num_classes: int) -> EncodedSplit:
        labels = np.arange(num) % num_classes
        images = (patterns[labels] + rng.normal(scale=0.1, size=(num, 1, 6, 6))).clip(0, 1).astype(np.float32)
        return EncodedSplit(images, np.zeros((num, 1), np.float32), None, labels)

    train, evaluated, model = pca_counterpart(split(NUM_TRAIN, 2), split(NUM_TRAIN, 3), latent_dim=3, seed=0)
    noisy = rng.random(evaluated.x.shape, dtype=np.float32)
    return Case(
        train,
        evaluated,
        seed=0,
        model=replace(model, assign=lambda codes: np.stack([codes[:, 0], -codes[:, 0]], axis=1)),
        corrupted=CorruptedImages(evaluated.x, noisy),
        overlaid=OverlaidImages(evaluated.x, np.tile([0, 1], (NUM_TRAIN, 1))),
        novel_class=2,
    )


def test_a_case_that_holds_everything_has_every_metric(full_case: Case) -> None:
    results = run_measures(chosen("all"), full_case)
    assert sorted(results.values) == sorted(PIXEL_METRICS + CODE_METRICS + MODEL_METRICS + NOVELTY_METRICS)
    assert list(results.seconds) == [measure.name for measure in known_measures()]
    assert all(isinstance(value, float) and np.isfinite(value) for value in results.values.values())
    assert all(seconds >= 0 for seconds in results.seconds.values())
    assert list(results.curves) == ["compression"]
    assert results.values.keys() == metric_names()
    shares = [name for name in results.values if name.split("_")[-1] in {"accuracy", "nmi", "map", "auroc"}]
    assert all(0 <= results.values[name] <= 1 for name in shares)


@pytest.mark.parametrize("measure", known_measures(), ids=lambda measure: measure.name)
def test_each_measure_gives_the_metrics_that_it_declares(full_case: Case, measure: Measure) -> None:
    found, _ = measure.timed(full_case)
    assert found.values.keys() == measure.metrics.keys()


def test_without_labels_the_model_still_serves(full_case: Case) -> None:
    train, evaluated = (replace(one, labels=None) for one in (full_case.train, full_case.evaluated))
    results = run_measures(chosen("all"), replace(full_case, train=train, evaluated=evaluated))
    assert set(results.values) == set(PIXEL_METRICS + UNLABELLED_CODE_METRICS + UNLABELLED_MODEL_METRICS)


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"model": None}, set(MODEL_METRICS)),
        ({"corrupted": None}, {"denoising_psnr_gain"}),
        ({"overlaid": None}, {"overlay_pair_accuracy", "overlay_one_accuracy"}),
        ({"novel_class": None}, set(NOVELTY_METRICS)),
        ({"novel_class": 5}, set(NOVELTY_METRICS)),
    ],
)
def test_what_needs_something_missing_is_left_out(full_case: Case, changes: dict[str, None], missing: set[str]) -> None:
    everything = set(PIXEL_METRICS + CODE_METRICS + MODEL_METRICS + NOVELTY_METRICS)
    assert set(run_measures(chosen("all"), replace(full_case, **changes)).values) == everything - missing  # type: ignore[arg-type]


def test_a_single_image_is_compared_with_no_distribution(full_case: Case) -> None:
    results = run_measures(chosen("all"), replace(full_case, evaluated=full_case.evaluated.sample(1, seed=0)))
    assert not {"prior_mmd", "sample_frechet"} & set(results.values)
    assert np.isfinite(list(results.values.values())).all()


def test_a_single_training_image_breaks_no_measure(full_case: Case) -> None:
    results = run_measures(chosen("all"), replace(full_case, train=full_case.train.sample(1, seed=0)))
    assert {"gmm_accuracy", "novelty_auroc_code", "overlay_pair_accuracy"} <= set(results.values)
    assert np.isfinite(list(results.values.values())).all()


@pytest.mark.parametrize("shape", [(2, 9), (9, 2), (1, 1)])
def test_images_too_small_for_structure_have_every_other_measure(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    images = rng.random((20, 1, *shape), dtype=np.float32)
    split = EncodedSplit(images, rng.normal(size=(20, 2)).astype(np.float32), images, np.arange(20) % 2)
    assert set(run("all", split, split, seed=0).values) == {*PIXEL_METRICS[:2], *CODE_METRICS}


def test_collapsed_codes_break_no_measure(full_case: Case) -> None:
    """A VAE that has given up: every image has the same code, and every code decodes to the same image."""
    model = NumpyModel(
        encode=lambda images, given=None: np.zeros((len(images), 3), np.float32),
        decode=lambda codes, given=None: np.full((len(codes), 1, 6, 6), 0.5, np.float32),
        restore=lambda images, given=None, like=None: np.full_like(images, 0.5),
        draw_posterior=lambda images, seed, given=None: np.zeros((len(images), 3), np.float32),
        draw_prior=lambda num, seed, given=None: np.random.default_rng(seed).normal(size=(num, 3)).astype(np.float32),
        features=lambda codes: codes,
    )
    splits = {
        name: replace(split, codes=np.zeros_like(split.codes))
        for name, split in (("train", full_case.train), ("evaluated", full_case.evaluated))
    }
    results = run_measures(chosen("all"), replace(full_case, model=model, **splits))
    assert np.isfinite(list(results.values.values())).all()
    assert results.values["active_units"] == 0
    assert results.values["bits_per_pixel"] < 0.01
    assert results.values["novelty_auroc_code"] == pytest.approx(0.5)


def test_needs_are_those_of_the_chosen_measures() -> None:
    assert needs_of(chosen(["mse", "denoising"])) == {
        "reconstructions",
        "model",
        "corrupted images",
        "bounded values",
    }
    assert needs_of([]) == frozenset()


def test_splits_alone_give_every_metric_of_pixels_and_codes(blobs: Blobs) -> None:
    results = run("all", *blobs, seed=0)
    assert set(results.values) == set(PIXEL_METRICS + CODE_METRICS)
    assert all(isinstance(value, float) for value in results.values.values())
    assert all(seconds >= 0 for seconds in results.seconds.values())


def test_cheap_gives_the_cheap_ones(blobs: Blobs) -> None:
    results = run("cheap", *blobs, seed=0)
    assert "gmm_accuracy" not in results.values
    assert {"mse", "kmeans_accuracy", "nearest_centroid_accuracy"} <= set(results.values)
    cheap = {measure.name for measure in known_measures() if measure.cost == "cheap"}
    assert set(results.seconds) == cheap - {"model_clusters"}


def test_chosen_names_run_alone_and_give_what_their_function_gives(blobs: Blobs) -> None:
    results = run(["kmeans", "mse", "mse"], *blobs, seed=4)
    assert list(results.seconds) == ["kmeans", "mse"]
    assert results.values == {"mse": 0.0} | cluster_agreement(
        "kmeans", blobs[1].labelled()[1], kmeans_clusters(*blobs, seed=4)
    )
    assert run([], *blobs, seed=0).values == {}


@pytest.mark.parametrize("names", [["mse", "kmean"], "kmean"])
def test_an_unknown_name_is_refused_with_the_nearest(names: list[str] | str) -> None:
    with pytest.raises(ConfigError, match=r"evaluation\.measures: 'kmean' .* did you mean 'kmeans'"):
        chosen(names)


def test_names_are_unique() -> None:
    names = [measure.name for measure in known_measures()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("labels", [None, np.full(90, -1)])
def test_unlabelled_images_have_pixel_metrics_alone(blobs: Blobs, labels: np.ndarray | None) -> None:
    train, evaluated = blobs
    results = run("all", train, replace(evaluated, labels=labels), seed=0)
    assert set(results.values) == set(PIXEL_METRICS + UNLABELLED_CODE_METRICS)


def test_unlabelled_training_images_still_cluster(blobs: Blobs) -> None:
    train, evaluated = blobs
    results = run("all", replace(train, labels=None), evaluated, seed=0)
    assert set(results.values) == {*PIXEL_METRICS, *CODE_METRICS[:4], *UNLABELLED_CODE_METRICS}


def test_without_reconstructions_code_metrics_are_left(blobs: Blobs) -> None:
    train, evaluated = blobs
    results = run("all", train, replace(evaluated, reconstructions=None), seed=0)
    assert set(results.values) == set(CODE_METRICS)


def test_a_pca_split_is_judged_by_the_same_measures(blobs: Blobs) -> None:
    rng = np.random.default_rng(0)
    noisy = [replace(one, x=rng.random(one.x.shape, dtype=np.float32)) for one in blobs]
    results = run("all", *pca_counterpart(noisy[0], noisy[1], latent_dim=4, seed=0)[:2], seed=0)
    assert set(results.values) == set(PIXEL_METRICS + CODE_METRICS)
    assert np.isfinite(list(results.values.values())).all()


def test_values_that_are_not_finite_are_counted(blobs: Blobs) -> None:
    train, evaluated = blobs
    codes = evaluated.codes.copy()
    codes[[3, 5], 0] = [np.nan, np.inf]
    with pytest.raises(NotFiniteError, match="2 of 90 evaluated codes are not finite"):
        run("all", train, replace(evaluated, codes=codes), seed=0)
    images = evaluated.x.copy()
    images[7] = np.nan
    with pytest.raises(NotFiniteError, match="1 of 90 reconstructions are not finite"):
        run("all", train, replace(evaluated, reconstructions=images), seed=0)
    with pytest.raises(NotFiniteError, match="300 of 300 training codes"):
        run("all", replace(train, codes=train.codes * np.nan), evaluated, seed=0)


def test_codes_of_another_size_are_refused(blobs: Blobs) -> None:
    train, evaluated = blobs
    with pytest.raises(ValueError, match="training codes have 3 dimensions, evaluated ones 4"):
        run("all", replace(train, codes=train.codes[:, :3]), evaluated, seed=0)


def test_the_floor_is_the_distance_of_real_images_from_real_ones(full_case: Case) -> None:
    """And a sampler that gives back training images is as good as that."""
    assert full_case.model is not None
    found = run_measures(chosen(["sample_frechet"]), full_case).values
    trained, real = (full_case.classifier_features(one.x) for one in (full_case.train, full_case.evaluated))
    assert found["sample_frechet_floor"] == frechet_distance(trained, real)
    memory = replace(
        full_case.model,
        draw_prior=lambda num, seed, given=None: np.arange(num)[:, None],
        decode=lambda rows, given=None: full_case.train.x[np.asarray(rows[:, 0], dtype=np.int64)],
    )
    discrete = replace(
        full_case, model=memory, evaluated=replace(full_case.evaluated, latents=full_case.evaluated.codes)
    )
    remembered = run_measures(chosen(["sample_frechet"]), discrete).values
    assert remembered["sample_frechet"] == pytest.approx(found["sample_frechet_floor"])
    assert "sample_frechet_gmm" not in remembered


@pytest.mark.parametrize("split", ["train", "evaluated"])
def test_few_images_are_compared_with_no_real_ones(full_case: Case, split: str) -> None:
    few = replace(full_case, **{split: getattr(full_case, split).sample(999, 0)})
    assert run_measures(chosen(["sample_frechet"]), few).values == {}


def test_drawn_images_are_never_held_all_together(full_case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """The distance of drawn images to real ones is the same in pieces."""
    assert full_case.model is not None
    whole = run_measures(chosen(["sample_frechet"]), full_case).values
    monkeypatch.setattr(chunks, "MAX_CHUNK_VALUES", 700 * full_case.evaluated.x[0].size)
    decode, sizes = full_case.model.decode, []

    def counted(codes: np.ndarray, given: np.ndarray | None = None) -> np.ndarray:
        sizes.append(len(codes))
        return decode(codes)

    pieces = run_measures(
        chosen(["sample_frechet"]), replace(full_case, model=replace(full_case.model, decode=counted))
    )
    assert max(sizes) == 700
    assert sum(sizes) == 2 * NUM_TRAIN
    assert pieces.values == pytest.approx(whole, rel=1e-4)
