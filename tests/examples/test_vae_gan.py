"""The VAE-GAN of the examples: two players, and what each minimises."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits
from vae_gan import VAEGAN

from ae_lightning.errors import ConfigError
from ae_lightning.networks import MLP
from ae_lightning.spec import DataSpec
from ae_lightning.testing import VariantSuite
from ae_lightning.testing.training import batch_of, draws_for, generate_batch

pytestmark = pytest.mark.slow

SMALL = {"spec": DataSpec((1, 8, 8)), "network": MLP(hidden=[8]), "latent_dim": 3}


class TestVAEGAN(VariantSuite):
    variant = VAEGAN


def test_the_terms_are_the_papers():
    torch.manual_seed(0)
    model = VAEGAN(**SMALL)
    x = generate_batch((1, 8, 8), 5)
    found = model.vae_terms(batch_of(x), draws_for(model, x))
    draws = draws_for(model, x)
    mean_BL, log_variance_BL = model.posterior(x)
    fake = model.decode(mean_BL + (0.5 * log_variance_BL).exp() * draws.normal(3)), model.decode(draws.normal(3))
    features, logits = model.judged(torch.cat([x, *fake]))
    expected = (features[:5] - features[5:10]).square().sum(dim=1)
    torch.testing.assert_close(found["features"], expected)
    missed = binary_cross_entropy_with_logits(logits[5:], torch.ones(10), reduction="none").view(2, 5).sum(dim=0)
    torch.testing.assert_close(found["generator"], missed)
    told = model.discriminator_terms(batch_of(x), draws)["discriminator"]
    real = torch.tensor([1.0] * 5 + [0.0] * 10)
    entropy = binary_cross_entropy_with_logits(logits, real, reduction="none").view(3, 5).sum(dim=0)
    torch.testing.assert_close(told, entropy)


def test_validation_reports_the_vaes_objective():
    model = VAEGAN(**SMALL, beta=0.5)
    x = generate_batch((1, 8, 8), 5)
    assert model.loss_terms(batch_of(x), draws_for(model, x)).keys() == {"reconstruction", "kl"}
    assert model.term_weights() == {"kl": 0.5}


def test_samples_that_are_no_images_are_refused():
    with pytest.raises(ConfigError, match=r"^model\.network: Conv takes images, not vectors"):
        VAEGAN(spec=DataSpec((6,), "vector"), network=MLP(hidden=[8]))


def test_a_run_from_the_command_line_is_judged(workspace):
    outcome = workspace.fit(
        *("--model", "vae_gan.VAEGAN", "--trainer.gradient_clip_val", "1", "--trainer.accumulate_grad_batches", "2"),
        *("--model.discriminator_optimizer", "SGD", "--model.discriminator_optimizer.lr", "0.01"),
        *("--trainer.log_every_n_steps", "1"),
    )
    assert outcome.code == 0, outcome.err
    metrics = workspace.run().data.metrics
    assert metrics["test/mse"] > 0
    assert {"train/discriminator", "train/generator", "train/features"} <= metrics.keys()
