"""PCA at a rate: never above the model's, and as good as theory says it can be."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from ae_lightning.judging.pca import FitSamples
from ae_lightning.judging.pixels import mse
from ae_lightning.judging.quantised_pca import choose_step, fitted_quantised_pca


def entropy_of_rows(symbols: np.ndarray) -> float:
    """The sum of the columns' entropies in bits, counted one by one."""
    total = 0.0
    for column in symbols.T:
        shares = [float((column == value).mean()) for value in set(column.tolist())]
        total -= sum(share * np.log2(share) for share in shares)
    return total


@pytest.fixture(scope="module")
def gaussian() -> np.ndarray:
    deviations = np.array([8.0, 4.0, 2.0, 1.0, 0.1])
    return np.random.default_rng(0).normal(size=(4_000, 5)) * deviations


@pytest.mark.parametrize("bits", [0.5, 3.0, 6.0, 12.0])
def test_the_rate_is_the_largest_not_above(gaussian: np.ndarray, bits: float) -> None:
    step = choose_step(gaussian, 0.0, bits)
    symbols = np.rint(gaussian[:, : step.num_components] / step.width)
    assert step.bits == pytest.approx(entropy_of_rows(symbols))
    assert 0.9 * bits <= step.bits <= bits
    error = np.square(gaussian).sum(axis=1).mean() - np.square(gaussian[:, : step.num_components]).sum(axis=1).mean()
    error += np.square(gaussian[:, : step.num_components] - symbols * step.width).sum(axis=1).mean()
    assert step.squared_error == pytest.approx(error)


def test_it_comes_within_a_quarter_bit_a_component_of_the_bound(gaussian: np.ndarray) -> None:
    """Uniform steps at their entropy cost a Gaussian at most 0.2546 bits more than its rate-distortion function."""
    step = choose_step(gaussian, 0.0, 12.0)
    variances = gaussian.var(axis=0)
    # reverse water-filling at the same distortion (Cover and Thomas 2006, theorem 10.3.3)
    low, high = 0.0, variances.max()
    for _ in range(100):
        level = (low + high) / 2
        low, high = (level, high) if np.minimum(level, variances).sum() < step.squared_error else (low, level)
    bound = 0.5 * np.log2(variances / np.minimum(level, variances)).sum()
    assert bound < step.bits < bound + 0.26 * 5


def test_no_bits_send_the_mean() -> None:
    components = np.random.default_rng(0).normal(size=(50, 3))
    step = choose_step(components, 2.0, 0.0)
    assert step.bits == 0
    assert step.squared_error == pytest.approx(2.0 + np.square(components).sum(axis=1).mean())


def test_more_bits_reconstruct_digits_better() -> None:
    digits = (load_digits().images[:, None] / 16).astype(np.float32)
    train, evaluated = digits[:1_200], digits[1_200:]
    errors = []
    for bits in (4.0, 24.0, 96.0):
        model = fitted_quantised_pca(FitSamples(lambda: train), train.shape[1:], bits, seed=0)
        assert model.code_bits is not None
        assert model.code_bits <= bits
        reconstructions = model.decode(model.encode(evaluated))
        np.testing.assert_array_equal(reconstructions, model.restore(evaluated))
        errors.append(mse(evaluated, reconstructions))
    assert errors[0] > 1.5 * errors[1] > 1.5 * 1.5 * errors[2]
