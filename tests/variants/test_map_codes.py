"""Variants whose codes are maps: all places of a map are numbers of one code, in every term."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Independent, Normal, kl_divergence

from ae_lightning.callbacks.verdict import verdict
from ae_lightning.data.datamodule import DataModule
from ae_lightning.losses.penalty import keep_largest
from ae_lightning.networks import Conv
from ae_lightning.priors.mixture import Mixture
from ae_lightning.spec import DataSpec
from ae_lightning.testing.training import batch_of, build_trainer, draws_for, generate_batch, write_images
from ae_lightning.variants import find_variants

pytestmark = pytest.mark.filterwarnings("ignore:::lightning")

VARIANTS = find_variants()
SHAPE = (1, 12, 12)
MAP = (2, 3, 3)
NUM_IMAGES = 3
"""As many as the map is wide: terms of each place would broadcast with terms of each sample."""
X = generate_batch(SHAPE, NUM_IMAGES)


def of_maps(variant, **options):
    """A variant with `codes_are_maps`, in eval mode."""
    torch.manual_seed(0)
    cls = type(f"Map{variant}", (VARIANTS[variant],), {"codes_are_maps": True, "__module__": __name__})
    model = cls(spec=DataSpec(SHAPE), network=Conv(filters=(4, 8), kernel_size=3), latent_dim=2, **options).eval()
    assert model.code_shape == MAP
    return model


def posterior_of(model, x):
    mean, log_variance = model.posterior(x)
    return Independent(Normal(mean, (0.5 * log_variance).exp()), 3)


def kl_of(model):
    prior = Independent(Normal(torch.zeros(NUM_IMAGES, *MAP), 1.0), 3)
    return kl_divergence(posterior_of(model, X), prior).mean()


def estimated_kl_of(model):
    z = model.draw_posterior_codes(X, draws_for(model, X))
    return (posterior_of(model, X).log_prob(z) - model.prior.log_prob(z)).mean()


def batch_kl_of(model):
    mean, log_variance = model.posterior(X)
    gaussian = Normal(mean.mean(dim=0), (log_variance.exp().mean(dim=0) + mean.var(dim=0, correction=0)).sqrt())
    return kl_divergence(gaussian, Normal(torch.zeros(MAP), 1.0)).sum()


def cycle_of(model):
    z = model.draw_prior(draws_for(model, X))
    return (z - model.encode(model.decode(z))).square().sum() / NUM_IMAGES


def l1_of(model):
    return model.encode(X).abs().sum() / NUM_IMAGES


def sparsity_of(model):
    means = model.encode(X).mean(dim=0)
    return kl_divergence(Bernoulli(torch.full(MAP, model.rho)), Bernoulli(means)).sum()


def jacobian_of(model):
    whole = [torch.autograd.functional.jacobian(lambda x: model.encode(x[None])[0], x) for x in X]
    return torch.stack(whole).square().sum() / NUM_IMAGES


@pytest.mark.parametrize(
    ("variant", "options", "name", "expected"),
    [
        ("VAE", {}, "kl", kl_of),
        ("VAE", {"prior": Mixture()}, "kl", estimated_kl_of),
        ("SampleVAE", {}, "kl", batch_kl_of),
        ("DoubleSampleVAE", {}, "kl", batch_kl_of),
        ("DoubleAE", {}, "latent_cycle", cycle_of),
        ("SparseAE", {}, "sparsity", sparsity_of),
        ("SparseAE", {"penalty": "l1"}, "sparsity", l1_of),
        ("ContractiveAE", {"exact": True}, "jacobian", jacobian_of),
    ],
)
def test_a_term_is_summed_over_the_places_of_a_map(variant, options, name, expected):
    model = of_maps(variant, **options)
    found = model.loss_terms(batch_of(X), draws_for(model, X))[name].mean()
    torch.testing.assert_close(found, expected(model), rtol=1e-4, atol=1e-6)


def test_the_jacobian_of_a_map_is_estimated_without_bias():
    model = of_maps("ContractiveAE")
    signs = torch.randint(2, (400, NUM_IMAGES, 18), generator=torch.Generator().manual_seed(0)) * 2.0 - 1
    found = torch.stack([model.jacobian_term(X, v_BL).detach() for v_BL in signs]).mean()
    assert found.item() == pytest.approx(jacobian_of(model).item(), rel=0.05)


def test_the_largest_activations_are_those_of_the_whole_map():
    z = torch.randn(5, *MAP, generator=torch.Generator().manual_seed(0))
    kept = keep_largest(z, 4)
    assert torch.equal(kept.flatten(1), keep_largest(z.flatten(1), 4))
    assert ((kept != 0).flatten(1).sum(dim=1) == 4).all()


class Seen(nn.Module):
    """Keeps what a discriminator is shown."""

    def __init__(self, discriminator: nn.Module) -> None:
        super().__init__()
        self.discriminator, self.shown = discriminator, []

    def forward(self, codes: Tensor) -> Tensor:
        self.shown.append(codes)
        return self.discriminator(codes)


def test_a_discriminator_is_shown_whole_maps():
    model, batch = of_maps("AdversarialAE"), batch_of(X)
    model.discriminator = Seen(model.discriminator)
    assert model.autoencoder_terms(batch, draws_for(model, X))["encoder"].shape == (NUM_IMAGES,)
    assert model.discriminator_terms(batch, draws_for(model, X))["discriminator"].shape == (NUM_IMAGES,)
    codes, drawn, again = model.discriminator.shown
    assert torch.equal(codes.view(NUM_IMAGES, *MAP), model.encode(X))
    assert torch.equal(drawn.view(NUM_IMAGES, *MAP), model.draw_prior(draws_for(model, X)))
    assert torch.equal(again, codes)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_trains_and_is_validated_on_maps(variant, tmp_path):
    path = write_images(tmp_path, SHAPE, 12)
    trainer = build_trainer(1, validate=True)
    trainer.fit(of_maps(variant).train(), DataModule(name="npz", path=str(path), batch_size=4, num_val=4))
    assert {"train/loss", "val/loss"} <= set(trainer.callback_metrics)
    assert all(value.isfinite() for value in trainer.callback_metrics.values())


def test_what_to_try_counts_all_places():
    lines = verdict({"mse": 0.2, "pca_mse": 0.1, "kl": 1.0, "active_units": 3.0}, of_maps("VAE"))
    assert "only 3 of 18 units are in use" in lines[1]
