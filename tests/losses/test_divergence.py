from __future__ import annotations

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from ae_lightning.losses.divergence import gaussian_kl


def reference_kl(mean, log_variance):
    """The same divergence in double precision, by torch.distributions."""
    posterior = Normal(mean.double(), (0.5 * log_variance.double()).exp())
    return kl_divergence(posterior, Normal(torch.zeros_like(posterior.loc), 1.0)).sum(dim=1)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
def test_kl_agrees_with_torch_distributions(dtype, tolerance):
    generator = torch.Generator().manual_seed(0)
    mean, log_variance = (3 * torch.randn(2, 16, 5, generator=generator)).to(dtype)
    found = gaussian_kl(mean, log_variance)
    assert found.shape == (16,)
    torch.testing.assert_close(found.double(), reference_kl(mean, log_variance), rtol=tolerance, atol=tolerance)


def test_kl_by_hand():
    mean, log_variance = torch.tensor([[1.0, -2.0]]), torch.tensor([[0.0, 1.0]])
    expected = 0.5 * (1 + 1 - 1 - 0) + 0.5 * (4 + torch.e - 1 - 1)
    assert gaussian_kl(mean, log_variance).item() == pytest.approx(expected)


def test_kl_of_the_prior_is_nothing():
    assert torch.equal(gaussian_kl(torch.zeros(3, 4), torch.zeros(3, 4)), torch.zeros(3))


def test_kl_is_never_negative_near_the_prior():
    """Rounding could take a difference of almost equal numbers below zero."""
    log_variance = torch.linspace(-1e-3, 1e-3, 1001)[:, None]
    assert gaussian_kl(torch.zeros_like(log_variance), log_variance).min() >= -1e-7


def test_kl_is_that_of_samples():
    """The mean of log q − log p over draws of q, which shares no formula with the closed form."""
    mean, log_variance = torch.tensor([[0.7, -1.5]]), torch.tensor([[-1.0, 0.5]])
    posterior = Normal(mean, (0.5 * log_variance).exp())
    torch.manual_seed(0)
    draws = posterior.sample((200_000,))
    estimate = (posterior.log_prob(draws) - Normal(0.0, 1.0).log_prob(draws)).sum(dim=-1).mean()
    assert gaussian_kl(mean, log_variance).item() == pytest.approx(estimate.item(), rel=0.02)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("log_variance", [-30.0, 0.0, 30.0])
@pytest.mark.parametrize("mean", [-1e3, 0.0, 1e3])
def test_kl_survives_extremes(mean, log_variance, dtype):
    means = torch.full((1, 3), mean, dtype=dtype, requires_grad=True)
    log_variances = torch.full((1, 3), log_variance, dtype=dtype, requires_grad=True)
    found = gaussian_kl(means, log_variances)
    found.sum().backward()
    assert found.isfinite().all()
    assert means.grad.isfinite().all()
    assert log_variances.grad.isfinite().all()
    torch.testing.assert_close(found.double(), reference_kl(means, log_variances).detach(), rtol=2e-2, atol=1e-4)


def test_kl_gradient_is_the_closed_form():
    mean = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    log_variance = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    gaussian_kl(mean, log_variance).sum().backward()
    torch.testing.assert_close(mean.grad, mean.detach())
    torch.testing.assert_close(log_variance.grad, 0.5 * (log_variance.detach().exp() - 1))
