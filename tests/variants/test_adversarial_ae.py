from __future__ import annotations

from functools import partial

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.cli import ReduceLROnPlateau

from ae_lightning.data.datamodule import DataModule
from ae_lightning.errors import ConfigError
from ae_lightning.losses.adversarial import discriminator_loss, encoder_loss
from ae_lightning.losses.reconstruction import mse
from ae_lightning.networks import MLP
from ae_lightning.priors.mixture import Mixture
from ae_lightning.priors.normal import Normal
from ae_lightning.priors.swiss_roll import SwissRoll
from ae_lightning.spec import DataSpec
from ae_lightning.testing.training import build_trainer, draws_for, generate_batch
from ae_lightning.variants.adversarial import AdversarialAE
from ae_lightning.variants.vanilla import VanillaAE

pytestmark = pytest.mark.filterwarnings("ignore:::lightning")

SHAPE = (1, 8, 8)
SMALL = {"spec": DataSpec(SHAPE), "network": MLP(hidden=[8]), "latent_dim": 3}
HELD = partial(torch.optim.SGD, lr=0.0)
NUM_BATCHES = 11


class Steps(pl.Callback):
    """Both learning rates and what is logged, at the end of every step."""

    def __init__(self):
        self.rates, self.logged = [], []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.logged.append({name: value.item() for name, value in trainer.callback_metrics.items()})

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.rates.append([optimizer.param_groups[0]["lr"] for optimizer in trainer.optimizers])


def trained(variant=AdversarialAE, epochs=1, **options):
    torch.manual_seed(0)
    model = variant(**SMALL, **options)
    steps = Steps()
    trainer = build_trainer(epochs, callbacks=[steps], validate=True, log_every_n_steps=1)
    trainer.fit(model, DataModule(name="digits"))
    return model, steps


def fresh(**options):
    """The same model before its training."""
    torch.manual_seed(0)
    return AdversarialAE(**SMALL, **options)


def same_weights(one, other):
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return [torch.equal(a, b) for a, b in pairs]


def test_both_optimizers_step():
    model, _ = trained()
    for part in ("encoder", "decoder", "discriminator"):
        assert not any(same_weights(getattr(model, part), getattr(fresh(), part)))


def test_the_autoencoders_optimizer_leaves_the_discriminator_alone():
    model, _ = trained(discriminator_optimizer=HELD)
    assert all(same_weights(model.discriminator, fresh().discriminator))
    assert not any(same_weights(model.encoder, fresh().encoder))


def test_the_discriminators_optimizer_leaves_the_autoencoder_alone():
    model, _ = trained(optimizer=HELD)
    assert all(same_weights(model.encoder, fresh().encoder))
    assert all(same_weights(model.decoder, fresh().decoder))
    assert not any(same_weights(model.discriminator, fresh().discriminator))


def test_without_weight_the_discriminator_does_not_move_the_autoencoder():
    adversarial, _ = trained(adversarial_weight=0.0)
    vanilla, _ = trained(VanillaAE)
    assert all(same_weights(adversarial.encoder, vanilla.encoder))
    assert all(same_weights(adversarial.decoder, vanilla.decoder))


def test_each_players_loss_is_logged_under_its_name():
    _, steps = trained(adversarial_weight=0.5)
    for logged in steps.logged:
        names = {name for name in logged if name.startswith("train/")}
        assert names == {"train/loss", "train/reconstruction", "train/encoder", "train/discriminator"}
        expected = logged["train/reconstruction"] + 0.5 * logged["train/encoder"]
        assert logged["train/loss"] == pytest.approx(expected, rel=1e-5)


def test_the_first_step_logs_the_losses_of_the_fresh_players():
    """With neither moving, all batches of an epoch are judged by the weights that were drawn."""
    _, steps = trained(optimizer=HELD, discriminator_optimizer=HELD)
    model, data = fresh(), DataModule(name="digits")
    data.setup("fit")
    loader = data.train_dataloader()
    for batch, logged in zip(loader, steps.logged, strict=True):
        logits = model.discriminator(model.encode(data.scale(batch.x)))
        assert logged["train/encoder"] == pytest.approx(encoder_loss(logits).mean().item(), rel=1e-4)
        # The draws of the prior are the run's own: only the codes' half is known here.
        assert logged["train/discriminator"] > torch.nn.functional.softplus(logits).mean().item()


def test_a_discriminator_that_trains_alone_learns_to_tell():
    model, steps = trained(optimizer=HELD, epochs=12)
    x_BCHW = generate_batch(SHAPE, 200)
    losses = [steps.logged[step]["train/discriminator"] for step in (0, -1)]
    assert losses[1] < 0.5 * losses[0]
    prior_BL = model.draw_prior(draws_for(model, x_BCHW))
    assert (
        discriminator_loss(model.discriminator(prior_BL), model.discriminator(model.encode(x_BCHW))).mean() < losses[0]
    )


@pytest.mark.parametrize(
    ("interval", "expected"),
    [("epoch", [1.0] * NUM_BATCHES + [0.1] * NUM_BATCHES), ("step", [0.1**step for step in range(2 * NUM_BATCHES)])],
)
def test_the_scheduler_steps_both_optimizers(interval, expected):
    """Under manual optimisation Lightning steps none."""
    tenth = partial(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.1)
    slow = partial(torch.optim.SGD, lr=1e-3)
    _, steps = trained(
        epochs=2, optimizer=slow, discriminator_optimizer=slow, scheduler=tenth, scheduler_interval=interval
    )
    for optimizer in (0, 1):
        assert [rates[optimizer] for rates in steps.rates] == pytest.approx([1e-3 * factor for factor in expected])


def test_a_plateau_of_the_validation_loss_lowers_both_rates():
    plateau = partial(ReduceLROnPlateau, monitor="val/loss", patience=0, factor=0.5)
    _, steps = trained(
        epochs=3, optimizer=HELD, discriminator_optimizer=partial(torch.optim.SGD, lr=0.1), scheduler=plateau
    )
    assert steps.rates[0][1] == pytest.approx(0.1)
    assert steps.rates[-1][1] == pytest.approx(0.05)


def test_validation_judges_the_reconstruction():
    model, data = fresh(), DataModule(name="digits")
    (logged,) = build_trainer(validate=True).validate(model, data, verbose=False)
    x_BCHW = data.scale(data.split("val").x)
    assert logged.keys() == {"val/loss", "val/reconstruction"}
    assert logged["val/loss"] == pytest.approx(mse(x_BCHW, model.reconstruct(x_BCHW)).mean().item(), rel=1e-5)


@pytest.mark.parametrize("prior", [Normal(), Mixture(), SwissRoll()], ids=repr)
def test_codes_are_drawn_from_the_prior_that_was_asked_for(prior):
    model = fresh(prior=prior)
    x_BCHW = generate_batch(SHAPE, 6)
    assert torch.equal(model.draw_prior(draws_for(model, x_BCHW)), prior.draw(draws_for(model, x_BCHW), (3,)))
    assert model.sample(4).shape == (4, *SHAPE)


def test_a_negative_weight_is_refused():
    with pytest.raises(ConfigError, match=r"^model\.adversarial_weight: -1"):
        fresh(adversarial_weight=-1.0)


@pytest.mark.parametrize("width", [0, -1])
def test_a_hidden_width_below_one_is_refused(width):
    with pytest.raises(ConfigError, match=rf"^model\.discriminator_hidden: {width} is not allowed; .* at least 1"):
        fresh(discriminator_hidden=[8, width])


@pytest.mark.parametrize("key", ["optimizer", "discriminator_optimizer"])
def test_what_an_optimizer_refuses_names_its_key(key):
    with pytest.raises(ConfigError, match=rf"^model\.{key}: Invalid learning rate: -1"):
        fresh(**{key: partial(torch.optim.Adam, lr=-1.0)}).configure_optimizers()
