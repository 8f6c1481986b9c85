"""Samplers against the distributions that they are fitted to."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import gaussian_kde

from ae_lightning.errors import ConfigError
from ae_lightning.judging.measures.prior import prior_mmd
from ae_lightning.parts import find_parts
from ae_lightning.samplers.base import Sampler
from ae_lightning.samplers.gaussian_mixture import GaussianMixture
from ae_lightning.samplers.kernel_density import KernelDensity
from ae_lightning.samplers.prior import Prior
from ae_lightning.samplers.two_stage import TwoStage

QUICK = {"hidden": [32], "num_steps": 20}
FITTED = [GaussianMixture(num_components=3), KernelDensity(), TwoStage(**QUICK)]


def each(samplers):
    return pytest.mark.parametrize("sampler", samplers, ids=lambda sampler: type(sampler).__name__)


def normal(num, size, seed=0):
    return np.random.default_rng(seed).normal(size=(num, size)).astype(np.float32)


def clusters(num, seed=0):
    """Two narrow round clusters in three dimensions, one three times the size of the other; and which of them."""
    random = np.random.default_rng(seed)
    labels = (random.random(num) < 0.25).astype(np.int64)
    codes = np.array([[-2.0, 0, 1], [3.0, 1, -1]])[labels] + 0.3 * random.normal(size=(num, 3))
    return codes.astype(np.float32), labels


def banana(num, seed):
    codes = normal(num, 2, seed)
    codes[:, 1] = 0.3 * codes[:, 1] + codes[:, 0] ** 2 - 1
    return codes


def test_the_folder_is_scanned():
    found = find_parts("ae_lightning.samplers", Sampler)
    assert set(found.values()) == {GaussianMixture, KernelDensity, Prior, TwoStage}


@each(FITTED)
def test_draws_have_the_shape_of_the_codes_and_follow_from_the_seed(sampler):
    for shape in ((3,), (2, 3, 2)):
        sampler.fit(normal(50, int(np.prod(shape))).reshape(50, *shape), seed=0)
        drawn = sampler.draw(7, seed=1)
        assert drawn.shape == (7, *shape)
        assert drawn.dtype == np.float32
        assert np.array_equal(drawn, sampler.draw(7, seed=1))
        assert not np.array_equal(drawn, sampler.draw(7, seed=2))


@each(FITTED)
def test_a_fit_follows_from_the_seed_and_leaves_the_random_state_alone(sampler):
    states, before = [], torch.get_rng_state()
    for _ in range(2):
        sampler.fit(normal(60, 3), seed=3)
        states.append(sampler.state)
    assert states[0].keys() == states[1].keys()
    assert all(np.array_equal(array, states[1][name]) for name, array in states[0].items())
    assert torch.equal(torch.get_rng_state(), before)


@each(FITTED)
def test_codes_that_have_collapsed_are_drawn_where_they_are(sampler):
    codes = normal(100, 3)
    codes[:, 1] = 5.0
    sampler.fit(codes, seed=0)
    assert np.abs(sampler.draw(200, seed=0)[:, 1] - 5).max() < 0.3
    sampler.fit(np.full((1, 3), 2, np.float32), seed=0)
    assert np.isfinite(sampler.draw(5, seed=0)).all()


@pytest.mark.parametrize("codes", [np.full((1, 3), 2), np.full((40, 3), 0.1), np.zeros((40, 3))])
@each(FITTED)
def test_of_codes_that_are_all_the_same_no_others_are_drawn(sampler, codes):
    sampler.fit(codes.astype(np.float32), seed=0)
    np.testing.assert_array_equal(sampler.draw(5, seed=0), codes[[0] * 5].astype(np.float32))


def test_a_class_whose_codes_are_all_the_same_is_drawn_there():
    codes, labels = clusters(400)
    codes[labels == 1] = 0.007
    sampler = GaussianMixture(num_components=2)
    sampler.fit(codes, seed=0, labels=labels)
    drawn = sampler.draw(200, seed=0, given=np.arange(200) % 2)
    np.testing.assert_array_equal(drawn[1::2], np.full((100, 3), 0.007, np.float32))
    np.testing.assert_allclose(drawn[::2].std(axis=0), codes[labels == 0].std(axis=0), rtol=0.25)


@each([GaussianMixture(num_components=2), KernelDensity(0.1)])
def test_clusters_are_drawn_as_often_and_as_wide_as_they_are(sampler):
    codes, labels = clusters(2000)
    sampler.fit(codes, seed=0)
    drawn = sampler.draw(8000, seed=1)
    is_second = drawn[:, 0] > 0.5
    assert is_second.mean() == pytest.approx(labels.mean(), abs=0.02)
    for found, expected in ((drawn[is_second], codes[labels == 1]), (drawn[~is_second], codes[labels == 0])):
        np.testing.assert_allclose(found.mean(axis=0), expected.mean(axis=0), atol=0.03)
        # The kernel's noise is a tenth of the deviation of all codes together.
        noise = 0 if isinstance(sampler, GaussianMixture) else 0.01 * np.cov(codes.T)
        np.testing.assert_allclose(np.cov(found.T), np.cov(expected.T) + noise, atol=0.015)


@pytest.mark.parametrize("rule", ["scott", "silverman"])
def test_kernels_are_as_wide_as_scipys(rule):
    codes = (normal(300, 4) @ np.random.default_rng(1).normal(size=(4, 4))).astype(np.float32)
    sampler = KernelDensity(rule)
    sampler.fit(codes, seed=0)
    root = sampler.state["root"]
    expected = gaussian_kde(codes.T, bw_method=rule).covariance
    np.testing.assert_allclose(root @ root.T, expected, atol=0.01 * np.abs(expected).max())


@each([GaussianMixture(num_components=2), KernelDensity(0.1)])
def test_a_class_is_drawn_where_its_codes_lie(sampler):
    codes, labels = clusters(1000)
    labels = np.where(np.arange(1000) % 5 == 0, -1, labels)
    sampler.fit(codes, seed=0, labels=labels)
    given = np.arange(600) % 2
    assert np.array_equal(sampler.draw(600, seed=0, given=given)[:, 0] > 0.5, given == 1)
    # Of a class that is not known, or was never seen, there are draws from all of the codes.
    for unknown in (-1, 7):
        is_second = sampler.draw(2000, seed=0, given=np.full(2000, unknown))[:, 0] > 0.5
        assert is_second.mean() == pytest.approx(0.25, abs=0.04)


def test_two_stages_come_nearer_a_banana_than_the_prior():
    train, test = banana(3000, 0), banana(1500, 1)
    sampler = TwoStage(num_steps=500)
    with torch.inference_mode():
        sampler.fit(train, seed=0)
    of_prior, of_stages = prior_mmd(normal(1500, 2, 2), test, 0), prior_mmd(sampler.draw(1500, seed=3), test, 0)
    assert of_stages < of_prior / 4
    # Without its last bend it would be a Gaussian of the banana's own moments.
    moments = np.random.default_rng(4).multivariate_normal(train.mean(axis=0), np.cov(train.T), 1500)
    assert of_stages < prior_mmd(moments.astype(np.float32), test, 0) / 2


def test_the_prior_is_that_of_the_model_it_is_attached_to():
    sampler = Prior()
    with pytest.raises(ValueError, match="given to none"):
        sampler.draw(3, seed=0)
    sampler.attach(lambda num, seed, given=None: np.full((num, 2), seed))
    assert np.array_equal(sampler.draw(3, seed=5), np.full((3, 2), 5))


@each([GaussianMixture(), KernelDensity(), TwoStage()])
def test_what_has_not_been_fitted_draws_nothing(sampler):
    sampler.state = None
    with pytest.raises(ValueError, match="has not been fitted"):
        sampler.draw(3, seed=0)


@each([GaussianMixture(), KernelDensity(), TwoStage()])
def test_indices_are_refused_by_name(sampler):
    message = (
        rf"^sampler: {type(sampler).__name__} takes codes of real numbers, and these are indices; Prior takes them$"
    )
    with pytest.raises(ConfigError, match=message):
        sampler.fit(np.zeros((5, 3), np.int64), seed=0)
    with pytest.raises(ConfigError, match=message):
        sampler.require_takes((3,), are_indices=True)
    Prior().require_takes((3,), are_indices=True)


@each([GaussianMixture(), KernelDensity()])
def test_covariances_beyond_memory_are_refused(sampler):
    with pytest.raises(ConfigError, match=r"takes codes of at most 1,024 numbers, not 1,152; Prior and TwoStage take"):
        sampler.require_takes((8, 12, 12), are_indices=False)
    TwoStage().require_takes((8, 12, 12), are_indices=False)


@pytest.mark.parametrize(
    ("cls", "arguments", "key"),
    [
        (GaussianMixture, {"num_components": 0}, "num_components"),
        (KernelDensity, {"bandwidth": "scot"}, "bandwidth"),
        (KernelDensity, {"bandwidth": 0.0}, "bandwidth"),
        (TwoStage, {"hidden": [0]}, "hidden"),
        (TwoStage, {"num_steps": 0}, "num_steps"),
    ],
)
def test_a_setting_that_is_none_is_refused_by_its_key(cls, arguments, key):
    with pytest.raises(ConfigError, match=rf"^sampler\.{key}: "):
        cls(**arguments)
