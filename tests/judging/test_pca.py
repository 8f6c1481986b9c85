"""The PCA baseline against scikit-learn's own, and at its limits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pca_of_splits import pca_counterpart
from sklearn.decomposition import PCA

from ae_lightning.judging import pca as pca_module
from ae_lightning.judging.encoded import EncodedSplit
from ae_lightning.judging.pixels import mse


def split(num: int, shape: tuple[int, int, int], seed: int) -> EncodedSplit:
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).normal(size=(12, int(np.prod(shape))))
    mixed = rng.normal(size=(num, 12)) * np.arange(12, 0, -1) @ mixing
    images = (1 / (1 + np.exp(-mixed / 30))).astype(np.float32).reshape(num, *shape)
    return EncodedSplit(images, np.zeros((num, 1), np.float32), None, np.arange(num) % 3)


@pytest.mark.parametrize(
    ("num", "shape"),
    [(700, (1, 8, 8)), (200, (1, 8, 8)), (60, (3, 20, 20)), (1100, (3, 20, 20))],
    ids=["tall", "short", "wide", "large both ways"],
)
def test_codes_and_reconstructions_are_scikit_learns(num: int, shape: tuple[int, int, int]) -> None:
    train, evaluated = split(num, shape, 0), split(30, shape, 1)
    reference = PCA(6, svd_solver="full").fit(train.x.reshape(num, -1))
    expected_codes = reference.transform(evaluated.x.reshape(30, -1))
    expected = reference.inverse_transform(expected_codes).reshape(evaluated.x.shape)
    coded_train, coded, _ = pca_counterpart(train, evaluated, latent_dim=6, seed=0)
    np.testing.assert_allclose(np.abs(coded.codes), np.abs(expected_codes), atol=2e-3)
    np.testing.assert_allclose(coded.reconstructions, expected, atol=2e-3)
    assert coded_train.codes.shape == (num, 6)
    assert coded_train.reconstructions is None
    assert coded.codes.dtype == coded.reconstructions.dtype == np.float32
    np.testing.assert_array_equal(coded.labels, evaluated.labels)
    assert coded.x is evaluated.x


def test_values_far_from_0_have_the_same_components() -> None:
    train, evaluated = split(60_000, (1, 2, 3), 0), split(30, (1, 2, 3), 1)
    far_train, far = (replace(one, x=one.x + np.float32(4096), value_range=None) for one in (train, evaluated))
    error, far_error = (
        mse(coded.x, coded.reconstructions)
        for coded in (pca_counterpart(*one, latent_dim=3, seed=0)[1] for one in ((train, evaluated), (far_train, far)))
    )
    assert far_error == pytest.approx(error, rel=0.01)


def test_more_dimensions_never_reconstruct_worse() -> None:
    train = split(300, (1, 6, 6), 0)
    errors = []
    for latent_dim in (1, 2, 5, 12, 36):
        _, coded, _ = pca_counterpart(train, train, latent_dim, seed=0)
        errors.append(mse(coded.x, coded.reconstructions))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-10


@pytest.mark.parametrize(("num", "expected"), [(300, 36), (10, 10)])
def test_latent_dim_is_limited_by_images_and_pixels(num: int, expected: int) -> None:
    train = split(num, (1, 6, 6), 0)
    assert pca_counterpart(train, train, latent_dim=500, seed=0)[1].codes.shape == (num, expected)


def test_latent_dim_below_one_is_refused() -> None:
    train = split(10, (1, 6, 6), 0)
    with pytest.raises(ValueError, match="at least 1 component"):
        pca_counterpart(train, train, latent_dim=0, seed=0)


def test_constant_images_have_constant_codes() -> None:
    blank = EncodedSplit(np.full((20, 1, 4, 4), 0.5, np.float32), np.zeros((20, 1), np.float32))
    _, coded, _ = pca_counterpart(blank, blank, latent_dim=3, seed=0)
    np.testing.assert_allclose(coded.codes, 0, atol=1e-5)
    np.testing.assert_allclose(coded.reconstructions, 0.5, atol=1e-5)


def test_a_large_training_split_is_sampled_for_the_fit_and_encoded_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pca_module, "MAX_FIT_IMAGES", 100)
    train = split(300, (1, 6, 6), 0)
    coded_train, coded, _ = pca_counterpart(train, train, latent_dim=12, seed=0)
    assert coded_train.codes.shape == (300, 12)
    assert mse(coded.x, coded.reconstructions) < 1e-3


def test_the_coder_does_to_new_images_what_pca_does() -> None:
    train, evaluated = split(300, (1, 6, 6), 0), split(30, (1, 6, 6), 1)
    _, coded, model = pca_counterpart(train, evaluated, latent_dim=4, seed=0)
    np.testing.assert_array_equal(model.encode(evaluated.x), coded.codes)
    np.testing.assert_array_equal(model.draw_posterior(evaluated.x, 3), coded.codes)
    np.testing.assert_array_equal(model.decode(coded.codes), coded.reconstructions)
    np.testing.assert_array_equal(model.restore(evaluated.x), coded.reconstructions)


def test_the_prior_has_the_variances_of_the_training_codes() -> None:
    train = split(300, (1, 6, 6), 0)
    coded_train, _, model = pca_counterpart(train, train, latent_dim=4, seed=0)
    draws = model.draw_prior(20_000, 1)
    np.testing.assert_allclose(draws.std(axis=0), coded_train.codes.std(axis=0), rtol=0.03)
    np.testing.assert_allclose(draws.mean(axis=0) / draws.std(axis=0), 0, atol=0.03)
    np.testing.assert_array_equal(draws, model.draw_prior(20_000, 1))
