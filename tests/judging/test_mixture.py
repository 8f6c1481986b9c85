"""The Gaussian mixture of codes against scikit-learn's, in the codes' own units."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.mixture import GaussianMixture

from ae_lightning.judging import chunks
from ae_lightning.judging.expectation_maximisation import ROUNDS, TOLERANCE, Gaussians, maximised
from ae_lightning.judging.gaussian import COVARIANCE_FLOOR
from ae_lightning.judging.mixture import fit_mixture, mixture_from


@pytest.fixture(scope="module")
def codes() -> np.ndarray:
    rng = np.random.default_rng(0)
    centres = np.array([[0, 0, 0], [400, 0, 0], [0, 300, 100]])
    mixed = centres[np.arange(900) % 3] + rng.normal(scale=[30, 60, 10], size=(900, 3))
    return mixed.astype(np.float32)


def test_it_is_scikit_learns(codes: np.ndarray) -> None:
    mixture = fit_mixture(codes, 3, seed=0)
    reference = GaussianMixture(3, random_state=1, tol=1e-6, n_init=3).fit(codes)
    difference = mixture.log_likelihood(codes) - reference.score_samples(codes)
    # The densities differ by the change of units, which is one constant, and by the floor.
    assert np.ptp(difference) < 1
    responsibilities = softmax(mixture.log_responsibilities(codes), axis=1)
    np.testing.assert_array_equal(responsibilities.argmax(axis=1), mixture.components(codes))
    np.testing.assert_allclose(
        np.sort(responsibilities, axis=1), np.sort(reference.predict_proba(codes), axis=1), atol=0.02
    )


def test_its_rounds_are_scikit_learns(codes: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """From one start they end at the same Gaussians, after as many rounds, in pieces of the points as in one."""
    points = (codes - codes.mean(axis=0)) / codes.std(axis=0)
    points = points.astype(np.float64)
    start = Gaussians.of(np.array([0.2, 0.3, 0.5]), points[[0, 4, 11]], np.stack([np.eye(3)] * 3))
    reference = GaussianMixture(
        3,
        tol=TOLERANCE,
        reg_covar=COVARIANCE_FLOOR,
        max_iter=ROUNDS,
        weights_init=start.weights,
        means_init=start.means,
        precisions_init=np.linalg.inv(start.covariances),
    ).fit(points)
    assert 3 < reference.n_iter_ < ROUNDS
    monkeypatch.setattr(chunks, "MAX_CACHED_VALUES", 700)
    found = maximised(points, start)
    np.testing.assert_allclose(found.weights, reference.weights_, rtol=1e-9)
    np.testing.assert_allclose(found.means, reference.means_, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.covariances, reference.covariances_, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(np.abs(found.roots), np.abs(reference.precisions_cholesky_), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("num", [1, 40])
def test_of_codes_that_are_all_the_same_no_others_are_drawn(num: int) -> None:
    constant = np.full((num, 3), 0.007, np.float32)
    np.testing.assert_array_equal(fit_mixture(constant, 2, seed=0).sample(20, seed=0), constant[[0] * 20])


def stretched(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two clusters that lie apart along an axis on which codes hardly vary, and which of them each code is of."""
    rng = np.random.default_rng(seed)
    labels = np.arange(600) % 2
    codes = rng.normal(size=(600, 4)) * [30, 1, 1, 0.05]
    codes[:, 3] += 0.3 * labels
    return codes.astype(np.float32), labels


@pytest.mark.parametrize("num_constant", [0, 3])
def test_an_affine_map_of_the_codes_changes_nothing_from_the_same_start(num_constant: int) -> None:
    """Nor do constant dimensions before it, which leave the codes on a plane."""
    codes, labels = stretched(0)
    rng = np.random.default_rng(1)
    size = 4 + num_constant
    turned, _ = np.linalg.qr(rng.normal(size=(size, size)))
    wide = np.pad(codes, ((0, 0), (0, num_constant)), constant_values=3)
    mapped = (wide @ (turned * rng.uniform(0.3, 3, size)) + rng.normal(size=size)).astype(np.float32)
    start = np.eye(2)[np.where(rng.random(600) < 0.2, 1 - labels, labels)]
    own, other = (mixture_from(one, start, seed=0) for one in (codes, mapped))
    np.testing.assert_array_equal(own.components(codes), other.components(mapped))
    assert (own.components(codes) == labels).mean() > 0.97
    assert np.ptp(own.log_likelihood(codes) - other.log_likelihood(mapped)) < 0.1


def test_the_floor_is_a_share_of_the_total_covariance() -> None:
    codes, _ = stretched(0)
    _, means, roots = mixture_from(codes, np.ones((600, 1)), seed=0).parameters()
    np.testing.assert_allclose(means[0], codes.mean(axis=0), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(roots[0] @ roots[0].T, 1.001 * np.cov(codes.T, bias=True), rtol=1e-4, atol=1e-5)


def test_along_a_constant_dimension_the_floor_is_of_the_largest_eigenvalue() -> None:
    codes = np.pad(stretched(0)[0], ((0, 0), (0, 1)), constant_values=3)
    root = mixture_from(codes, np.ones((600, 1)), seed=0).parameters()[2][0]
    largest = np.linalg.eigvalsh(np.cov(codes.T, bias=True))[-1]
    assert (root @ root.T)[4, 4] == pytest.approx(1e-3 * 1e-6 * largest, rel=1e-3)


def test_draws_have_the_codes_moments(codes: np.ndarray) -> None:
    mixture = fit_mixture(codes, 3, seed=0)
    drawn = mixture.sample(20_000, seed=5)
    np.testing.assert_allclose(drawn.mean(axis=0), codes.mean(axis=0), atol=6)
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(codes.T), atol=900)
    np.testing.assert_array_equal(drawn, mixture.sample(20_000, seed=5))
    assert not np.array_equal(drawn, mixture.sample(20_000, seed=6))


def test_any_part_of_the_draws_is_of_all_components(codes: np.ndarray) -> None:
    mixture = fit_mixture(codes, 3, seed=0)
    drawn = mixture.components(mixture.sample(900, seed=5))
    shares = [np.bincount(part, minlength=3) / 300 for part in drawn.reshape(3, 300)]
    np.testing.assert_allclose(shares, [np.bincount(drawn, minlength=3) / 900] * 3, atol=0.1)


def test_far_away_the_order_of_components_survives(codes: np.ndarray) -> None:
    far = codes[:2] + np.float32(1e5)
    scores = fit_mixture(codes, 3, seed=0).log_responsibilities(far)
    assert np.isfinite(scores).all()
    assert all(len(set(row)) == 3 for row in scores)


def test_pieces_give_what_the_whole_gives(codes: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    mixture = fit_mixture(codes, 3, seed=0)
    whole = mixture.log_likelihood(codes)
    monkeypatch.setattr(chunks, "MAX_CHUNK_VALUES", 100)
    np.testing.assert_allclose(mixture.log_likelihood(codes), whole)


@pytest.mark.parametrize("num_components", [1, 3])
def test_a_single_code_has_one_narrow_gaussian_around_it(num_components: int) -> None:
    code = np.array([[3, -2]], np.float32)
    mixture = fit_mixture(code, num_components, seed=0)
    assert mixture.num_components == 1
    np.testing.assert_allclose(mixture.sample(500, seed=0).mean(axis=0), code[0], atol=0.01)
    assert mixture.log_likelihood(code)[0] > mixture.log_likelihood(code + 1)[0]


def test_collapsed_codes_have_finite_densities_and_draws() -> None:
    mixture = fit_mixture(np.full((50, 4), 2, np.float32), 3, seed=0)
    assert np.isfinite(mixture.log_likelihood(np.zeros((3, 4), np.float32))).all()
    np.testing.assert_allclose(mixture.sample(10, seed=0), 2, atol=0.2)
