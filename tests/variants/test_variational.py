"""`VAE` and `SampleVAE`: the annealing of β, the draw of a code, the two estimators."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from ae_lightning.data.datamodule import DataModule
from ae_lightning.errors import ConfigError
from ae_lightning.networks import MLP
from ae_lightning.spec import DataSpec
from ae_lightning.testing.training import batch_of, build_trainer, draws_for, generate_batch
from ae_lightning.training.schedules import Annealing
from ae_lightning.variants.sample_vae import SampleVAE
from ae_lightning.variants.vae import VAE

pytestmark = pytest.mark.filterwarnings("ignore:::lightning")

SHAPE = (1, 8, 8)
SMALL = {"spec": DataSpec(SHAPE), "network": MLP(hidden=[8]), "latent_dim": 3}
NUM_BATCHES = 11
VARIANTS = (VAE, SampleVAE)


class RecordedVAE(VAE):
    """Keeps what every step logs."""

    def log_dict(self, values, **options):
        if "train/loss" in values:
            self.steps = [*getattr(self, "steps", []), {name: value.item() for name, value in values.items()}]
        super().log_dict(values, **options)


class RecordedSampleVAE(SampleVAE, RecordedVAE):
    """The same of the other variant."""


def trained(variant, epochs=3, **options):
    torch.manual_seed(0)
    model = variant(**SMALL, **options)
    trainer = build_trainer(epochs, validate=True, log_every_n_steps=1)
    trainer.fit(model, DataModule(name="digits"))
    return model, {name: value.item() for name, value in trainer.callback_metrics.items()}


@pytest.mark.parametrize("variant", [RecordedVAE, RecordedSampleVAE])
def test_beta_is_annealed_and_the_kl_logged_without_it(variant):
    """The loss holds the KL times the β of its moment; what is logged as the KL is the whole of it."""
    model, _ = trained(variant, beta=Annealing(0.0, 2.0, 2))
    assert len(model.steps) == 3 * NUM_BATCHES
    for step, logged in enumerate(model.steps):
        beta = 2.0 * min(1.0, step / (2 * NUM_BATCHES))
        assert logged["train/loss"] == pytest.approx(
            logged["train/reconstruction"] + beta * logged["train/kl"], rel=1e-5
        )
        assert logged["train/kl"] > 0


@pytest.mark.parametrize("variant", VARIANTS)
def test_validation_takes_the_final_beta_from_the_first_epoch_on(variant):
    _, logged = trained(variant, epochs=1, beta=Annealing(0.0, 3.0, 100))
    assert logged["val/loss"] == pytest.approx(logged["val/reconstruction"] + 3 * logged["val/kl"], rel=1e-5)


def test_an_annealing_that_has_ended_trains_as_a_number():
    """Bit for bit the same weights."""
    one, _ = trained(VAE, epochs=1, beta=Annealing(2.0, 0.7, 0))
    other, _ = trained(VAE, epochs=1, beta=0.7)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_a_negative_end_is_refused_by_its_key():
    with pytest.raises(ConfigError, match=r"^model\.beta\.end: -1"):
        VAE(**SMALL, beta=Annealing(0.0, -1.0, 1))


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_drawn_code_follows_the_posterior(variant):
    """Mean and deviation over many draws, image by image."""
    torch.manual_seed(0)
    model = variant(**SMALL)
    posterior = [values.detach() for values in model.posterior(generate_batch(SHAPE, 2))]
    mean_BL, log_variance_BL = (values.repeat_interleave(20_000, dim=0) for values in posterior)
    z_BL = model.draw_posterior(mean_BL, log_variance_BL, draws_for(model, mean_BL)).view(2, 20_000, 3)
    torch.testing.assert_close(z_BL.mean(dim=1), posterior[0], atol=0.04, rtol=0)
    torch.testing.assert_close(z_BL.std(dim=1), (0.5 * posterior[1]).exp(), atol=0.04, rtol=0)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_reconstruction_in_training_is_of_a_drawn_code(variant):
    model = variant(**SMALL)
    x_BCHW = generate_batch(SHAPE, 4)
    mean_BL, log_variance_BL = model.posterior(x_BCHW)
    z_BL = Normal(mean_BL, (0.5 * log_variance_BL).exp()).mean
    z_BL = z_BL + (0.5 * log_variance_BL).exp() * draws_for(model, x_BCHW).normal(3)
    found = model.loss_terms(batch_of(x_BCHW), draws_for(model, x_BCHW))["reconstruction"]
    torch.testing.assert_close(found, model.reconstruction_term(batch_of(x_BCHW), z_BL))
    assert not torch.allclose(found, model.reconstruction_term(batch_of(x_BCHW), mean_BL))


def moments(model, x_BCHW, estimator):
    mean_BL, log_variance_BL = model.posterior(x_BCHW)
    spread = mean_BL.var(dim=0, correction=0) if estimator == "aggregate" else 0.0
    return mean_BL.mean(dim=0), log_variance_BL.exp().mean(dim=0) + spread


@pytest.mark.parametrize("estimator", ["aggregate", "posterior"])
def test_the_batchs_kl_is_of_the_moments_that_were_asked_for(estimator):
    torch.manual_seed(0)
    model = SampleVAE(**SMALL, estimator=estimator)
    x_BCHW = 5 * generate_batch(SHAPE, 16)
    mean_L, variance_L = moments(model, x_BCHW, estimator)
    gaussian = Normal(mean_L, variance_L.sqrt())
    expected = kl_divergence(gaussian, Normal(torch.zeros(3), torch.ones(3))).sum()
    found = model.loss_terms(batch_of(x_BCHW), draws_for(model, x_BCHW))["kl"].mean()
    assert found.shape == ()
    torch.testing.assert_close(found, expected)


@pytest.mark.slow
@pytest.mark.parametrize("estimator", ["aggregate", "posterior"])
def test_the_moments_that_were_asked_for_come_near_the_priors(estimator):
    model, _ = trained(SampleVAE, epochs=60, estimator=estimator)
    data = DataModule(name="digits")
    with torch.no_grad():
        mean_L, variance_L = moments(model, data.scale(data.split("train").x), estimator)
    torch.testing.assert_close(mean_L, torch.zeros(3), atol=0.3, rtol=0)
    torch.testing.assert_close(variance_L, torch.ones(3), atol=0.4, rtol=0)


@pytest.mark.parametrize(("shape", "weight"), [((1, 28, 28), 1.0), ((3, 32, 32), 1.0), ((1, 8, 8), 64 / 784)])
def test_left_to_itself_beta_follows_the_size_of_a_sample(shape, weight):
    """One from MNIST's 784 values on, less in proportion below; what was taken is there to be recorded."""
    model = VAE(spec=DataSpec(shape), network=MLP(hidden=[8]), latent_dim=3, beta="auto")
    assert model.beta.at(0) == model.beta.end == weight
    assert model.resolved["beta"] == weight


def test_another_word_for_beta_is_refused():
    """As a number below zero is."""
    with pytest.raises(ConfigError, match=r"^model\.beta: "):
        VAE(**SMALL, beta="high")
