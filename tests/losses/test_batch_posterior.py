from __future__ import annotations

import pytest
import torch
from torch.distributions import Independent, MixtureSameFamily, Normal, kl_divergence
from torch.distributions.categorical import Categorical

from ae_lightning.losses.divergence import diagonal_gaussian_kl, gaussian_kl
from ae_lightning.models.batch_posterior import batch_posterior_kl

ESTIMATORS = ("aggregate", "posterior")
TOLERANCES = [(torch.float32, 1e-5), (torch.bfloat16, 3e-2)]


def draw_posteriors(num_images=16, latent_dim=5, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    mean_BL, log_variance_BL = torch.randn(2, num_images, latent_dim, generator=generator).to(dtype)
    return 2 * mean_BL + 1, log_variance_BL - 1


def kl_to_prior(mean_L, variance_L):
    """By torch.distributions, in double precision."""
    gaussian = Normal(mean_L.double(), variance_L.double().sqrt())
    return kl_divergence(gaussian, Normal(torch.zeros_like(gaussian.loc), 1.0)).sum()


def reference_kl(mean_BL, log_variance_BL, estimator):
    """The moments of torch's own mixture of the batch's Gaussians, or of a Gaussian of average moments."""
    mean_BL, variance_BL = mean_BL.double(), log_variance_BL.double().exp()
    if estimator == "posterior":
        return kl_to_prior(mean_BL.mean(dim=0), variance_BL.mean(dim=0))
    components = Independent(Normal(mean_BL, variance_BL.sqrt()), 1)
    mixture = MixtureSameFamily(Categorical(torch.ones(len(mean_BL))), components)
    return kl_to_prior(mixture.mean, mixture.variance)


@pytest.mark.parametrize(("dtype", "tolerance"), TOLERANCES)
def test_the_diagonal_kl_agrees_with_torch_distributions(dtype, tolerance):
    mean_L, log_variance_L = (values[0] for values in draw_posteriors(dtype=dtype))
    found = diagonal_gaussian_kl(mean_L, log_variance_L.exp())
    assert found.shape == ()
    torch.testing.assert_close(
        found.double(), kl_to_prior(mean_L, log_variance_L.exp()), rtol=tolerance, atol=tolerance
    )


def test_the_diagonal_kl_by_hand():
    found = diagonal_gaussian_kl(torch.tensor([1.0, 0.0]), torch.tensor([1.0, torch.e]))
    assert found.item() == pytest.approx(0.5 * 1 + 0.5 * (torch.e - 2))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("log_variance", [-30.0, 0.0, 30.0])
def test_the_diagonal_kl_holds_at_extreme_variances(log_variance, dtype):
    mean_L = torch.full((3,), 2.0, dtype=dtype, requires_grad=True)
    variance_L = torch.full((3,), log_variance).exp().to(dtype).requires_grad_()
    found = diagonal_gaussian_kl(mean_L, variance_L)
    found.backward()
    expected = kl_to_prior(mean_L.detach(), variance_L.detach())
    torch.testing.assert_close(found.double(), expected, rtol=2e-2, atol=0)
    torch.testing.assert_close(variance_L.grad.double(), 0.5 - 0.5 / variance_L.detach().double(), rtol=2e-2, atol=0)


def test_the_diagonal_kl_of_no_variance_is_large_and_finite():
    variance_L = torch.zeros(2, requires_grad=True)
    found = diagonal_gaussian_kl(torch.zeros(2), variance_L)
    found.backward()
    assert found.isfinite()
    assert found > diagonal_gaussian_kl(torch.zeros(2), torch.full((2,), 1e-4))
    assert variance_L.grad.isfinite().all()


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize(("dtype", "tolerance"), TOLERANCES)
def test_the_kl_is_that_of_the_batchs_moments(estimator, dtype, tolerance):
    mean_BL, log_variance_BL = draw_posteriors(dtype=dtype)
    found = batch_posterior_kl(mean_BL, log_variance_BL, estimator).mean()
    assert found.shape == ()
    expected = reference_kl(mean_BL, log_variance_BL, estimator)
    torch.testing.assert_close(found.double(), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_gradient_is_that_of_the_batchs_moments(estimator):
    mean_BL, log_variance_BL = (values.double().requires_grad_() for values in draw_posteriors())
    inputs = (mean_BL, log_variance_BL)
    found = torch.autograd.grad(batch_posterior_kl(*inputs, estimator).mean(), inputs)
    expected = torch.autograd.grad(reference_kl(*inputs, estimator), inputs)
    torch.testing.assert_close(found, expected)


def test_the_aggregates_moments_are_those_of_posterior_samples():
    """Which shares no formula with the closed form: the mean and variance of many draws z ~ q(z | x)."""
    mean_BL, log_variance_BL = draw_posteriors()
    torch.manual_seed(0)
    samples = (mean_BL + (0.5 * log_variance_BL).exp() * torch.randn(20_000, *mean_BL.shape)).flatten(0, 1)
    expected = kl_to_prior(samples.mean(dim=0), samples.var(dim=0))
    assert batch_posterior_kl(mean_BL, log_variance_BL, "aggregate").mean().item() == pytest.approx(
        expected.item(), rel=0.01
    )


def test_the_batch_may_be_far_from_the_prior_image_by_image():
    """Means spread as the prior with no variance of their own cost nothing as a batch, and much one by one."""
    mean_BL = Normal(0.0, 1.0).icdf((torch.arange(1000) + 0.5) / 1000)[:, None]
    log_variance_BL = torch.full_like(mean_BL, -8.0)
    assert batch_posterior_kl(mean_BL, log_variance_BL, "aggregate").mean().item() == pytest.approx(0, abs=0.01)
    assert gaussian_kl(mean_BL, log_variance_BL).mean() > 3


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_batch_of_one_has_the_kl_of_its_own_gaussian(estimator):
    mean_BL, log_variance_BL = draw_posteriors(num_images=1)
    found = batch_posterior_kl(mean_BL, log_variance_BL, estimator).mean()
    torch.testing.assert_close(found, gaussian_kl(mean_BL, log_variance_BL)[0])


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("num_images", [1, 301])
@pytest.mark.parametrize("log_variance", [-30.0, 0.0, 30.0])
@pytest.mark.parametrize("mean", [-1e3, 0.0, 1e3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_constant_batches_and_extremes_stay_finite(estimator, num_images, log_variance, mean, dtype):
    mean_BL = torch.full((num_images, 3), mean, dtype=dtype, requires_grad=True)
    log_variance_BL = torch.full((num_images, 3), log_variance, dtype=dtype, requires_grad=True)
    found = batch_posterior_kl(mean_BL, log_variance_BL, estimator).mean()
    found.backward()
    assert mean_BL.grad.isfinite().all()
    assert log_variance_BL.grad.isfinite().all()
    expected = kl_to_prior(mean_BL[0].detach(), log_variance_BL[0].detach().double().exp())
    torch.testing.assert_close(found.double(), expected, rtol=2e-2, atol=1e-2)
