"""Classifiers fitted to frozen codes, against scikit-learn's own, and with few, missing or foreign labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from sklearn.preprocessing import StandardScaler

from ae_lightning.judging.encoded import EncodedSplit
from ae_lightning.judging.measures import knn, linear_probe
from ae_lightning.judging.measures.few_shot import few_shot_accuracies
from ae_lightning.judging.measures.knn import knn_accuracy, nearest
from ae_lightning.judging.measures.linear_probe import linear_probe_accuracy
from ae_lightning.judging.measures.retrieval import hash_map, retrieval_map

Blobs = tuple[EncodedSplit, EncodedSplit]


def few_shot_5(train: EncodedSplit, evaluated: EncodedSplit, seed: int) -> float:
    return few_shot_accuracies(train, evaluated, seed)["few_shot_accuracy_5"]


ACCURACIES: list[Callable[[EncodedSplit, EncodedSplit, int], float]] = [linear_probe_accuracy, knn_accuracy, few_shot_5]
MEASURES = [*ACCURACIES, retrieval_map, hash_map]


@pytest.fixture
def overlapping(blobs: Blobs) -> Blobs:
    """The same classes with so much noise that no classifier is right about all."""
    rng = np.random.default_rng(5)
    noisy = [
        replace(one, codes=(one.codes + rng.normal(scale=9, size=one.codes.shape)).astype(np.float32)) for one in blobs
    ]
    return noisy[0], noisy[1]


def test_the_linear_probe_is_scikit_learns(overlapping: Blobs) -> None:
    train, evaluated = overlapping
    scaler = StandardScaler().fit(train.codes)
    probe = LogisticRegression(max_iter=1000).fit(scaler.transform(train.codes), train.labels)
    expected = probe.score(scaler.transform(evaluated.codes), evaluated.labels)
    assert 0.4 < expected < 0.98
    assert linear_probe_accuracy(train, evaluated, 0) == pytest.approx(expected)


def test_knn_is_scikit_learns(overlapping: Blobs) -> None:
    train, evaluated = overlapping
    expected = KNeighborsClassifier(5).fit(train.codes, train.labels).score(evaluated.codes, evaluated.labels)
    assert 0.4 < expected < 0.98
    assert knn_accuracy(train, evaluated, 0) == pytest.approx(expected)


def test_few_shots_of_everything_are_nearest_centroids(overlapping: Blobs) -> None:
    """With just 10 examples a class there is nothing left to draw."""
    train, evaluated = overlapping
    ten = replace(train.select(np.arange(30)), labels=np.arange(30) % 3)
    expected = NearestCentroid().fit(ten.codes, ten.labels).score(evaluated.codes, evaluated.labels)
    assert few_shot_accuracies(ten, evaluated, 0)["few_shot_accuracy_10"] == pytest.approx(expected)


def test_more_shots_help(overlapping: Blobs) -> None:
    values = list(few_shot_accuracies(*overlapping, 0).values())
    assert values == sorted(values)
    assert values[0] < values[-1]


def test_a_class_with_few_examples_gives_all_it_has(blobs: Blobs) -> None:
    train, evaluated = blobs
    chosen = np.concatenate([np.flatnonzero(train.labels == 0)[:7], np.flatnonzero(train.labels != 0)[:4]])
    values = few_shot_accuracies(train.select(np.sort(chosen)), evaluated, 0)
    assert list(values) == ["few_shot_accuracy_1", "few_shot_accuracy_5"]
    assert values["few_shot_accuracy_5"] == 1


@pytest.mark.parametrize("dimension", [2, 32])
def test_faiss_finds_the_neighbours_that_scikit_learn_finds(monkeypatch: pytest.MonkeyPatch, dimension: int) -> None:
    rng = np.random.default_rng(0)
    train, queries = (rng.normal(size=(num, dimension)).astype(np.float32) for num in (400, 50))
    expected = nearest(train, queries, 5)
    monkeypatch.setattr(knn, "MAX_SMALL_SET", 100)
    np.testing.assert_array_equal(nearest(train, queries, 5), expected)


def test_faiss_finds_the_neighbours_of_codes_far_from_0(monkeypatch: pytest.MonkeyPatch) -> None:
    # It multiplies matrices where there are many queries alone.
    codes = np.random.default_rng(0).normal(size=(5000, 64)).astype(np.float32) + np.float32(10_000)
    train, queries = codes[:3000], codes[3000:]
    expected = nearest(train.astype(np.float64), queries.astype(np.float64), 5)
    monkeypatch.setattr(knn, "MAX_SMALL_SET", 100)
    assert (nearest(train, queries, 5) == expected).mean() > 0.99


def test_large_sets_are_sampled(monkeypatch: pytest.MonkeyPatch, blobs: Blobs) -> None:
    monkeypatch.setattr(knn, "MAX_QUERIES", 20)
    monkeypatch.setattr(linear_probe, "MAX_PROBE_CODES", 40)
    assert knn_accuracy(*blobs, 0) == 1
    assert linear_probe_accuracy(*blobs, 0) == 1


@pytest.mark.parametrize("measure", MEASURES)
def test_separate_classes_are_told_apart(blobs: Blobs, measure: Callable[..., float]) -> None:
    assert measure(*blobs, 0) > (0.99 if measure is not hash_map else 0.4)


@pytest.mark.parametrize("measure", MEASURES)
def test_unlabelled_images_are_left_out(blobs: Blobs, measure: Callable[..., float]) -> None:
    train, evaluated = blobs
    known = np.arange(len(train)) % 4 != 0
    partial = replace(train, labels=np.where(known, train.labels, -1), codes=np.where(known[:, None], train.codes, 99))
    whole, part = measure(train.select(known), evaluated, 0), measure(partial, evaluated, 0)
    assert part == pytest.approx(whole)


@pytest.mark.parametrize("measure", MEASURES)
def test_a_class_that_training_does_not_know_counts_as_wrong(blobs: Blobs, measure: Callable[..., float]) -> None:
    train, evaluated = blobs
    known = replace(train, labels=np.where(train.labels == 2, -1, train.labels))
    right = measure(known, evaluated.select(evaluated.labels != 2), 0)
    assert measure(known, evaluated, 0) == pytest.approx(right * 2 / 3, abs=1e-6)


@pytest.mark.parametrize("measure", MEASURES)
def test_one_class_alone_is_given_every_image(blobs: Blobs, measure: Callable[..., float]) -> None:
    train, evaluated = blobs
    assert measure(train.select(train.labels == 1), evaluated, 0) == pytest.approx(1 / 3)


@pytest.mark.parametrize("measure", [linear_probe_accuracy, knn_accuracy])
def test_one_example_of_a_class_is_enough(blobs: Blobs, measure: Callable[..., float]) -> None:
    train, evaluated = blobs
    chosen = np.concatenate([[int(np.flatnonzero(train.labels == one)[0])] for one in (0, 1, 2)])
    assert 0 < measure(train.select(np.sort(chosen)), evaluated, 0) <= 1


@pytest.mark.parametrize("measure", MEASURES)
def test_collapsed_dimensions_change_nothing(overlapping: Blobs, measure: Callable[..., float]) -> None:
    padded = [replace(one, codes=np.pad(one.codes, ((0, 0), (0, 5)), constant_values=0.3)) for one in overlapping]
    assert measure(*padded, 0) == pytest.approx(measure(*overlapping, 0), abs=1e-3)


@pytest.mark.parametrize("measure", MEASURES)
def test_without_labels_it_is_refused(blobs: Blobs, measure: Callable[..., float]) -> None:
    train, evaluated = blobs
    with pytest.raises(ValueError, match="no labels"):
        measure(replace(train, labels=None), evaluated, 0)
