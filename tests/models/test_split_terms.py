"""Terms of a whole split: the same whatever batches and ranks it comes in."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Bernoulli, Normal, kl_divergence

from ae_lightning.data.datamodule import DataModule
from ae_lightning.models.batch_posterior import batch_posterior_kl
from ae_lightning.models.phases import weighted_sum
from ae_lightning.models.split_terms import MomentTerm, SplitTerms
from ae_lightning.networks import MLP
from ae_lightning.spec import DataSpec
from ae_lightning.testing.training import validation_terms
from ae_lightning.variants.double_sample_vae import DoubleSampleVAE
from ae_lightning.variants.sample_vae import SampleVAE
from ae_lightning.variants.sparse import SparseAE

pytestmark = pytest.mark.filterwarnings("ignore:::lightning")


def kl_of(model, x_BCHW):
    """By torch.distributions, from all codes at once."""
    mean_BL, log_variance_BL = (part.double() for part in model.posterior(x_BCHW))
    variance_L = log_variance_BL.exp().mean(dim=0)
    if model.estimator == "aggregate":
        variance_L = variance_L + mean_BL.var(dim=0, correction=0)
    gaussian = Normal(mean_BL.mean(dim=0), variance_L.sqrt())
    return kl_divergence(gaussian, Normal(torch.zeros_like(gaussian.loc), 1.0)).sum()


def sparsity_of(model, x_BCHW):
    mean_L = model.encode(x_BCHW).double().mean(dim=0)
    return kl_divergence(Bernoulli(probs=torch.full_like(mean_L, model.rho)), Bernoulli(probs=mean_L)).sum()


@pytest.mark.parametrize(
    ("variant", "options", "name", "expected", "weight"),
    [
        (SampleVAE, {"beta": 2.0}, "kl", kl_of, 2.0),
        (SampleVAE, {"estimator": "posterior"}, "kl", kl_of, 1.0),
        (DoubleSampleVAE, {}, "kl", kl_of, 1.0),
        (SparseAE, {"sparsity_weight": 3.0}, "sparsity", sparsity_of, 3.0),
    ],
    ids=["SampleVAE", "posterior", "DoubleSampleVAE", "SparseAE"],
)
@torch.no_grad()
def test_a_splits_term_is_of_the_splits_moments_whatever_the_batch(variant, options, name, expected, weight):
    torch.manual_seed(0)
    model = variant(spec=DataSpec((1, 8, 8)), network=MLP(hidden=[16]), latent_dim=6, **options).eval()
    for parameter in model.encoder.parameters():
        parameter.mul_(3)
    data = DataModule(name="digits")
    exact = expected(model, data.scale(data.split("val").x)).item()
    for batch_size in (7, 64, 10_000):
        logged = validation_terms(model, DataModule(name="digits", batch_size=batch_size))
        assert logged[f"val/{name}"] == pytest.approx(exact, rel=1e-4)
        weights = {name: weight}
        terms = {key: value for key, value in logged.items() if key != "val/loss"}
        total = sum(weights.get(key.removeprefix("val/"), 1.0) * value for key, value in terms.items())
        assert logged["val/loss"] == pytest.approx(total, rel=1e-5)


def exact_draws():
    """Of N(0, I), as means with no variance of their own."""
    return torch.randn(1000, 32, generator=torch.Generator().manual_seed(0))


def of_batches(draws_BL, size):
    terms, batches = SplitTerms(), draws_BL.split(size)
    for mean_BL in batches:
        term = batch_posterior_kl(mean_BL, torch.full_like(mean_BL, -30.0), "aggregate")
        terms.add({"kl": term, "size": mean_BL.square().sum(dim=1), "count": torch.tensor(1.0)}, len(mean_BL))
    return terms.of_split()


def test_exact_draws_of_the_prior_are_near_it_in_batches_of_any_size():
    draws_BL = exact_draws()
    batches = [batch_posterior_kl(part, torch.full_like(part, -30.0), "aggregate").mean() for part in draws_BL.split(8)]
    assert torch.stack(batches).mean() > 2
    for size in (1, 8, 300, 1000):
        found = of_batches(draws_BL, size)
        assert found["kl"].item() == pytest.approx(kl_of_rows(draws_BL), rel=1e-5)
        assert found["size"].item() == pytest.approx(draws_BL.square().sum(dim=1).mean().item())
        assert found["count"] == 1
    assert kl_of_rows(draws_BL) < 0.1


def kl_of_rows(draws_BL):
    rows = draws_BL.double()
    gaussian = Normal(rows.mean(dim=0), rows.var(dim=0, correction=0).sqrt())
    return kl_divergence(gaussian, Normal(torch.zeros_like(gaussian.loc), 1.0)).sum().item()


@pytest.mark.parametrize("take", [weighted_sum, lambda terms, _: SplitTerms().add(terms, 3)], ids=["step", "split"])
def test_a_term_of_several_values_a_sample_is_refused_by_name(take):
    take({"kl": torch.ones(3), "one": torch.tensor(1.0)}, {})
    with pytest.raises(ValueError, match=r"^term 'kl' has shape \(3, 4, 4\); give one value a sample, or one for the"):
        take({"one": torch.ones(3), "kl": torch.ones(3, 4, 4)}, {})


def test_far_from_zero_the_variance_is_exact():
    """Where squares in 32-bit would leave nothing of it."""
    far = 1e4 + exact_draws()
    terms = SplitTerms()
    for part in far.split(100):
        terms.add({"variance": MomentTerm(part, lambda moments: moments.variance.sum())}, len(part))
    expected = far.double().var(dim=0, correction=0).sum().item()
    assert terms.of_split()["variance"].item() == pytest.approx(expected, rel=1e-3)
