from __future__ import annotations

import pytest
import torch
from scipy.special import rel_entr
from torch.distributions import Bernoulli, kl_divergence

from ae_lightning.losses.divergence import bernoulli_kl


def reference_kl(rho, mean_L):
    """The same divergence in double precision, by torch.distributions."""
    wanted = torch.tensor(rho, dtype=torch.float64)
    return kl_divergence(Bernoulli(probs=wanted), Bernoulli(probs=mean_L.double())).sum()


@pytest.mark.parametrize("rho", [0.05, 0.2, 0.9])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 3e-2)])
def test_sparsity_agrees_with_torch_distributions(rho, dtype, tolerance):
    mean_L = torch.linspace(0.02, 0.98, 13).to(dtype)
    found = bernoulli_kl(rho, mean_L)
    assert found.shape == ()
    torch.testing.assert_close(found.double(), reference_kl(rho, mean_L), rtol=tolerance, atol=tolerance)


def test_sparsity_agrees_with_scipy():
    mean_L = torch.linspace(0.1, 0.9, 9, dtype=torch.float64)
    expected = rel_entr(0.2, mean_L.numpy()) + rel_entr(0.8, 1 - mean_L.numpy())
    assert bernoulli_kl(0.2, mean_L).item() == pytest.approx(expected.sum())


def test_sparsity_is_nothing_at_the_wanted_activation_and_positive_elsewhere():
    assert bernoulli_kl(0.2, torch.full((3,), 0.2)).item() == pytest.approx(0, abs=1e-6)
    assert all(bernoulli_kl(0.2, torch.tensor([mean])) > 0 for mean in (0.1, 0.19, 0.21, 0.7))


def test_the_gradient_is_the_closed_form():
    """(1 − ρ) / (1 − ρ̂) − ρ / ρ̂."""
    mean_L = torch.linspace(0.1, 0.9, 9, dtype=torch.float64, requires_grad=True)
    bernoulli_kl(0.2, mean_L).backward()
    expected = 0.8 / (1 - mean_L.detach()) - 0.2 / mean_L.detach()
    torch.testing.assert_close(mean_L.grad, expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("mean", [0.0, 1e-30, 1.0])
def test_units_that_never_or_always_fire_cost_much_but_no_infinity(mean, dtype):
    mean_L = torch.full((2,), mean, dtype=dtype, requires_grad=True)
    found = bernoulli_kl(0.2, mean_L)
    found.backward()
    assert found.isfinite()
    assert found > bernoulli_kl(0.2, torch.full((2,), 0.1))
    assert mean_L.grad.isfinite().all()
