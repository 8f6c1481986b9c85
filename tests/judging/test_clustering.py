"""Clusters against classes: scikit-learn, permutations, and codes that have collapsed."""

from __future__ import annotations

import itertools
import warnings
from dataclasses import replace

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.mixture import GaussianMixture

from ae_lightning.judging import clustering
from ae_lightning.judging import mixture as mixture_module
from ae_lightning.judging.clustering import (
    cluster_accuracy,
    cluster_agreement,
    kmeans_clusters,
    match_clusters,
    num_classes,
)
from ae_lightning.judging.encoded import EncodedSplit
from ae_lightning.judging.measures.gmm import gmm_accuracy
from ae_lightning.judging.mixture import fit_mixture


def kmeans(train: EncodedSplit, evaluated: EncodedSplit, seed: int) -> dict[str, float]:
    return cluster_agreement("kmeans", evaluated.labelled()[1], kmeans_clusters(train, evaluated, seed))


def best_by_trying_all(labels: np.ndarray, clusters: np.ndarray, num: int) -> float:
    return max(float((np.array(names)[clusters] == labels).mean()) for names in itertools.permutations(range(num)))


def test_cluster_accuracy_is_the_best_of_all_matches() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        labels, clusters = rng.integers(0, 4, size=(2, 30))
        assert cluster_accuracy(labels, clusters) == pytest.approx(best_by_trying_all(labels, clusters, 4))


def test_cluster_accuracy_ignores_what_clusters_are_called() -> None:
    rng = np.random.default_rng(1)
    labels, clusters = rng.integers(0, 5, size=(2, 200))
    renamed = (rng.permutation(5) * 7)[clusters]
    assert cluster_accuracy(labels, renamed) == cluster_accuracy(labels, clusters)
    assert cluster_accuracy(labels, (rng.permutation(5) * 7)[labels]) == 1


def test_more_clusters_than_classes_and_the_reverse() -> None:
    assert cluster_accuracy(np.array([0, 0, 1, 1]), np.array([0, 1, 2, 2])) == 0.75
    assert cluster_accuracy(np.array([0, 0, 1, 2]), np.array([5, 5, 5, 5])) == 0.5


def test_cluster_accuracy_refuses_what_does_not_pair() -> None:
    with pytest.raises(ValueError, match="2 clusters for 3 labels"):
        cluster_accuracy(np.zeros(3, np.int64), np.zeros(2, np.int64))
    with pytest.raises(ValueError, match="0 clusters"):
        cluster_accuracy(np.zeros(0, np.int64), np.zeros(0, np.int64))


def test_clear_clusters_are_found(blobs: tuple[EncodedSplit, EncodedSplit]) -> None:
    assert kmeans(*blobs, seed=0) == pytest.approx({"kmeans_accuracy": 1, "kmeans_nmi": 1, "kmeans_ari": 1})
    assert gmm(*blobs, seed=0) == {"gmm_accuracy": 1}


def overlapping(blobs: tuple[EncodedSplit, EncodedSplit], noise: float = 6) -> tuple[EncodedSplit, EncodedSplit]:
    rng = np.random.default_rng(5)
    noisy = (
        replace(one, codes=(one.codes + rng.normal(scale=noise, size=one.codes.shape)).astype(np.float32))
        for one in blobs
    )
    return next(noisy), next(noisy)


def gmm(train: EncodedSplit, evaluated: EncodedSplit, seed: int) -> dict[str, float]:
    mixture = fit_mixture(train.codes, num_classes(train, evaluated), seed)
    return {"gmm_accuracy": gmm_accuracy(mixture, evaluated)}


def test_kmeans_is_scikit_learns(blobs: tuple[EncodedSplit, EncodedSplit]) -> None:
    train, evaluated = overlapping(blobs)
    found = KMeans(3, n_init=20, random_state=7).fit(train.codes).predict(evaluated.codes)
    values = kmeans(train, evaluated, seed=0)
    assert values["kmeans_accuracy"] == pytest.approx(best_by_trying_all(evaluated.labels, found, 3))
    assert values["kmeans_nmi"] == pytest.approx(normalized_mutual_info_score(evaluated.labels, found))
    assert values["kmeans_ari"] == pytest.approx(adjusted_rand_score(evaluated.labels, found))


@pytest.mark.parametrize("most_at_once", [1_000, 100])
def test_kmeans_of_codes_far_from_zero_is_that_of_codes_near_it(
    blobs: tuple[EncodedSplit, EncodedSplit], monkeypatch: pytest.MonkeyPatch, most_at_once: int
) -> None:
    """As of coordinates or pressures in their own units, whose code an encoder without bounds leaves where it is."""
    monkeypatch.setattr(clustering, "MAX_FULL_BATCH_CODES", most_at_once)
    far = [replace(one, codes=one.codes + np.float32(1e5)) for one in blobs]
    assert kmeans(*far, seed=0) == pytest.approx({"kmeans_accuracy": 1, "kmeans_nmi": 1, "kmeans_ari": 1})


def test_gmm_agrees_with_a_mixture_run_to_convergence(blobs: tuple[EncodedSplit, EncodedSplit]) -> None:
    train, evaluated = overlapping(blobs, noise=4)
    mixture = GaussianMixture(3, tol=1e-6, max_iter=1000, n_init=3, random_state=1).fit(train.codes)
    expected = best_by_trying_all(evaluated.labels, mixture.predict(evaluated.codes), 3)
    assert gmm(train, evaluated, seed=0)["gmm_accuracy"] == pytest.approx(expected, abs=0.05)


def test_the_seed_fixes_the_values(blobs: tuple[EncodedSplit, EncodedSplit]) -> None:
    splits = overlapping(blobs)
    assert kmeans(*splits, seed=3) == kmeans(*splits, seed=3)
    assert gmm(*splits, seed=3) == gmm(*splits, seed=3)


@pytest.mark.parametrize("measure", [kmeans, gmm])
def test_collapsed_dimensions_change_nothing(blobs: tuple[EncodedSplit, EncodedSplit], measure: object) -> None:
    padded = [replace(one, codes=np.pad(one.codes, ((0, 0), (0, 5)), constant_values=0.3)) for one in blobs]
    assert measure(*padded, seed=0) == pytest.approx(measure(*blobs, seed=0))  # type: ignore[operator]


@pytest.mark.parametrize("value", [0.0, 0.1, 1e4])
@pytest.mark.parametrize("measure", [kmeans, gmm])
def test_constant_codes_give_the_share_of_the_largest_class(
    blobs: tuple[EncodedSplit, EncodedSplit], measure: object, value: float
) -> None:
    constant = [replace(one, codes=np.full_like(one.codes, value)) for one in blobs]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values = measure(*constant, seed=0)  # type: ignore[operator]
    assert next(iter(values.values())) == pytest.approx(1 / 3)


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_the_scale_of_the_codes_does_not_matter(blobs: tuple[EncodedSplit, EncodedSplit], scale: float) -> None:
    scaled = [replace(one, codes=one.codes * np.float32(scale)) for one in blobs]
    assert gmm(*scaled, seed=0) == {"gmm_accuracy": 1}


def test_training_labels_are_not_needed_and_missing_ones_are_left_out(
    blobs: tuple[EncodedSplit, EncodedSplit],
) -> None:
    train, evaluated = blobs
    labels = evaluated.labels.copy()
    labels[::4] = -1
    partial = replace(evaluated, labels=labels)
    for training in (replace(train, labels=None), replace(train, labels=np.full(len(train), -1))):
        assert kmeans(training, partial, seed=0)["kmeans_accuracy"] == 1
        assert gmm(training, partial, seed=0)["gmm_accuracy"] == 1


def test_a_class_that_is_absent_from_the_evaluated_split_keeps_its_cluster(
    blobs: tuple[EncodedSplit, EncodedSplit],
) -> None:
    train, evaluated = blobs
    there = evaluated.labels != 1
    part = EncodedSplit(evaluated.x[there], evaluated.codes[there], None, evaluated.labels[there])
    assert kmeans(train, part, seed=0)["kmeans_accuracy"] == 1
    assert gmm(train, part, seed=0)["gmm_accuracy"] == 1


def test_fewer_training_codes_than_classes(blobs: tuple[EncodedSplit, EncodedSplit]) -> None:
    train, evaluated = blobs
    two = train.sample(2, seed=0)
    assert 0 < kmeans(two, evaluated, seed=0)["kmeans_accuracy"] <= 2 / 3
    assert 0 < gmm(two, evaluated, seed=0)["gmm_accuracy"] <= 2 / 3


def test_large_training_splits_go_in_mini_batches_and_samples(
    blobs: tuple[EncodedSplit, EncodedSplit], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clustering, "MAX_FULL_BATCH_CODES", 100)
    monkeypatch.setattr(mixture_module, "MAX_MIXTURE_CODES", 100)
    assert kmeans(*blobs, seed=0)["kmeans_accuracy"] == 1
    assert gmm(*blobs, seed=0)["gmm_accuracy"] == 1


def test_clusters_are_named_after_the_classes_they_are_matched_to() -> None:
    labels = np.array([4, 4, 4, 7, 7, 9])
    clusters = np.array([2, 2, 0, 0, 0, 3])
    assert match_clusters(labels, clusters, 5).tolist() == [7, -1, 4, 9, -1]


def test_classes_are_counted_in_both_splits(blobs: tuple[EncodedSplit, EncodedSplit]) -> None:
    train, evaluated = blobs
    assert num_classes(train, replace(evaluated, labels=evaluated.labels + 1)) == 4
    assert num_classes(replace(train, labels=None), replace(evaluated, labels=None)) == 0
