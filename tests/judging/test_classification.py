"""Class means and class Gaussians against scikit-learn, and in the cases where covariances are singular."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.neighbors import NearestCentroid

from ae_lightning.judging import chunks
from ae_lightning.judging.encoded import EncodedSplit
from ae_lightning.judging.measures.class_gaussian import class_gaussian_accuracy
from ae_lightning.judging.measures.nearest_centroid import nearest_centroid_accuracy

SplitMaker = Callable[[np.ndarray, np.ndarray], EncodedSplit]

MEASURES = [nearest_centroid_accuracy, class_gaussian_accuracy]


@pytest.fixture
def overlapping(as_split: SplitMaker) -> tuple[EncodedSplit, EncodedSplit]:
    """Four classes of unequal size, each with a covariance of its own, that overlap."""
    rng = np.random.default_rng(2)
    mixing = rng.normal(size=(4, 6, 6))
    centres = rng.normal(scale=1.5, size=(4, 6))

    def draw(num: int) -> EncodedSplit:
        labels = rng.choice(4, num, p=[0.1, 0.2, 0.3, 0.4])
        noise = np.einsum("nij,nj->ni", mixing[labels], rng.normal(size=(num, 6)))
        return as_split(centres[labels] + noise, labels)

    return draw(2000), draw(1000)


def test_nearest_centroid_is_scikit_learns(overlapping: tuple[EncodedSplit, EncodedSplit]) -> None:
    train, evaluated = overlapping
    expected = NearestCentroid().fit(train.codes, train.labels).score(evaluated.codes, evaluated.labels)
    assert nearest_centroid_accuracy(train, evaluated) == pytest.approx(expected)
    assert expected < 0.95


def test_class_gaussian_is_quadratic_discriminant_analysis(
    overlapping: tuple[EncodedSplit, EncodedSplit],
) -> None:
    train, evaluated = overlapping
    reference = QuadraticDiscriminantAnalysis(priors=np.full(4, 0.25)).fit(train.codes, train.labels)
    expected = reference.score(evaluated.codes, evaluated.labels)
    assert class_gaussian_accuracy(train, evaluated) == pytest.approx(expected, abs=0.005)
    assert expected < 0.99


def test_class_gaussians_have_a_share_of_the_total_covariance(as_split: SplitMaker) -> None:
    """Beside scipy's densities: a class of two codes in six dimensions has none of its own but along one line."""
    rng = np.random.default_rng(4)
    labels = np.repeat([0, 1, 2], [200, 200, 2])
    mixing = rng.normal(size=(6, 6)) * [10, 3, 1, 0.3, 0.1, 0.03]
    train, evaluated = (as_split((rng.normal(size=(402, 6)) + labels[:, None]) @ mixing.T, labels) for _ in range(2))
    total = np.cov(train.codes.T.astype(np.float64), bias=True)
    scores = []
    for one in range(3):
        own = train.codes[labels == one].astype(np.float64)
        density = multivariate_normal(own.mean(axis=0), np.cov(own.T) + 1e-3 * total)
        scores.append(density.logpdf(evaluated.codes.astype(np.float64)))
    expected = (np.argmax(scores, axis=0) == labels).mean()
    assert 0.5 < expected < 1
    assert class_gaussian_accuracy(train, evaluated) == expected


@pytest.mark.parametrize("num_constant", [0, 3])
def test_an_affine_map_of_the_codes_changes_no_class_gaussian(as_split: SplitMaker, num_constant: int) -> None:
    """Of classes that lie apart where codes vary least, with and without dimensions that are constant before it."""
    rng = np.random.default_rng(6)
    labels = np.arange(1000) % 2
    codes = rng.normal(size=(1000, 4)) * [30, 1, 1, 0.05]
    codes[:, 3] += 0.1 * labels
    size = 4 + num_constant
    turned, _ = np.linalg.qr(rng.normal(size=(size, size)))
    wide = np.pad(codes, ((0, 0), (0, num_constant)), constant_values=3)
    own, mapped = as_split(codes, labels), as_split(wide @ (turned * rng.uniform(0.3, 3, size)) + 1, labels)
    found = class_gaussian_accuracy(own, own)
    assert found > 0.8
    assert class_gaussian_accuracy(mapped, mapped) == pytest.approx(found, abs=0.002)


def test_covariances_tell_apart_what_means_cannot(as_split: SplitMaker) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(2000) % 2
    split = as_split(rng.normal(size=(2000, 3)) * np.where(labels, 10, 0.1)[:, None], labels)
    assert nearest_centroid_accuracy(split, split) < 0.8
    assert class_gaussian_accuracy(split, split) > 0.95


@pytest.mark.parametrize("measure", MEASURES)
def test_collapsed_dimensions_change_nothing(blobs: tuple[EncodedSplit, EncodedSplit], measure: object) -> None:
    padded = [replace(one, codes=np.pad(one.codes, ((0, 0), (0, 30)), constant_values=0.3)) for one in blobs]
    assert measure(*padded) == 1  # type: ignore[operator]


@pytest.mark.parametrize("measure", MEASURES)
def test_constant_codes_give_the_share_of_one_class(blobs: tuple[EncodedSplit, EncodedSplit], measure: object) -> None:
    constant = [replace(one, codes=np.full_like(one.codes, 0.1)) for one in blobs]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert measure(*constant) == pytest.approx(1 / 3)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("measure", "num_each"),
    [*((nearest_centroid_accuracy, num) for num in (1, 2, 5)), *((class_gaussian_accuracy, num) for num in (1, 2))],
)
def test_fewer_images_in_a_class_than_dimensions(as_split: SplitMaker, measure: object, num_each: int) -> None:
    rng = np.random.default_rng(0)
    centres = rng.normal(scale=20, size=(3, 16))
    labels, few = np.arange(300) % 3, np.arange(3 * num_each) % 3
    train = as_split(centres[few] + rng.normal(size=(len(few), 16)), few)
    evaluated = as_split(centres[labels] + rng.normal(size=(300, 16)), labels)
    assert measure(train, evaluated) > 0.6  # type: ignore[operator]


@pytest.mark.parametrize("measure", MEASURES)
def test_missing_labels_are_left_out(blobs: tuple[EncodedSplit, EncodedSplit], measure: object) -> None:
    hidden = []
    for one in blobs:
        labels, codes = one.labels.copy(), one.codes.copy()
        labels[::4] = -1
        codes[::4] = 1000
        hidden.append(replace(one, codes=codes, labels=labels))
    assert measure(*hidden) == 1  # type: ignore[operator]


@pytest.mark.parametrize("measure", MEASURES)
def test_classes_that_only_one_split_knows(blobs: tuple[EncodedSplit, EncodedSplit], measure: object) -> None:
    train, evaluated = blobs
    without = replace(evaluated, labels=np.where(evaluated.labels == 1, -1, evaluated.labels))
    assert measure(train, without) == 1  # type: ignore[operator]
    unseen = replace(train, labels=np.where(train.labels == 1, -1, train.labels))
    assert measure(unseen, evaluated) == pytest.approx(2 / 3)  # type: ignore[operator]


@pytest.mark.parametrize("measure", MEASURES)
def test_splits_without_labels_are_refused(blobs: tuple[EncodedSplit, EncodedSplit], measure: object) -> None:
    train, evaluated = blobs
    with pytest.raises(ValueError, match="no labels"):
        measure(replace(train, labels=None), evaluated)  # type: ignore[operator]


def test_chunks_change_nothing(overlapping: tuple[EncodedSplit, EncodedSplit], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = class_gaussian_accuracy(*overlapping)
    monkeypatch.setattr(chunks, "MAX_CHUNK_VALUES", 60)
    assert class_gaussian_accuracy(*overlapping) == whole
