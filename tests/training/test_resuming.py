"""Trainings gone on with from the checkpoint of an epoch or a validation: what a run in peace does, bit for bit."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import GradientAccumulationScheduler, StochasticWeightAveraging
from lightning.pytorch.cli import ReduceLROnPlateau

from ae_lightning.callbacks.checkpointing import RunCheckpoint
from ae_lightning.data.datamodule import DataModule
from ae_lightning.errors import CheckpointError, ConfigError
from ae_lightning.networks import Linear
from ae_lightning.spec import DataSpec
from ae_lightning.testing.training import build_trainer, weights_of, write_images
from ae_lightning.variants.adversarial import AdversarialAE
from ae_lightning.variants.vae import VAE
from phased_models import Begun, Duel

pytestmark = pytest.mark.filterwarnings("ignore:::lightning")

SHAPE = (1, 8, 8)
# No loss improves by half: the rate falls after every epoch but the first.
PLATEAU = partial(ReduceLROnPlateau, factor=0.5, patience=0, threshold=0.5, eps=0.0)
STEPS = partial(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.5)
VAL_PLATEAU = partial(PLATEAU, monitor="val/loss")
WITHIN_EPOCHS = {"val_check_interval": 0.34}


class KilledError(Exception):
    """What ends a training as abruptly as a signal does."""


class Steps(pl.Callback):
    """The epoch, batch, images and rates of every step, up to the one at which the training is killed."""

    def __init__(self, killed_at):
        self.killed_at, self.steps = killed_at, []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if (trainer.current_epoch, batch_idx) == self.killed_at:
            raise KilledError
        rates = [optimizer.param_groups[0]["lr"] for optimizer in trainer.optimizers]
        self.steps.append((trainer.current_epoch, batch_idx, batch.indices.tolist(), rates))


@pytest.fixture
def train(tmp_path):
    """Train for four epochs of three batches, in a folder of the test's."""
    images = str(write_images(tmp_path, SHAPE, 27))

    def run(name, variant, scheduler, *, killed_at=None, checkpoint=None, batch_size=8, more=tuple, **options):
        torch.manual_seed(0)
        model = variant(
            spec=DataSpec(SHAPE),
            network=Linear(),
            latent_dim=3,
            optimizer=partial(torch.optim.SGD, lr=1e-4),
            scheduler=scheduler,
        )
        steps = Steps(killed_at)
        checkpoint_callback = RunCheckpoint(str(tmp_path / name))
        callbacks = [*more(), steps, checkpoint_callback]
        settings = {"validate": True, "enable_checkpointing": True, **options}
        trainer = build_trainer(4, callbacks=callbacks, **settings)
        data = DataModule(name="npz", path=images, batch_size=batch_size, num_val=5)
        try:
            trainer.fit(model, data, ckpt_path=checkpoint)
        except KilledError:
            return Path(checkpoint_callback.dirpath, "last.ckpt")
        return steps.steps, weights_of(model)

    return run


def require_exact(train, variant, scheduler, killed_at, **options):
    steps, weights = train("peace", variant, scheduler, **options)
    last = train("killed", variant, scheduler, killed_at=killed_at, **options)
    more_steps, same_weights = train("gone on", variant, scheduler, checkpoint=last, **options)
    assert more_steps == steps[-len(more_steps) :]
    assert 0 < len(more_steps) < len(steps)
    assert torch.equal(same_weights, weights)
    # Else the test could not fail.
    assert len({str(rates) for *_, rates in steps}) > 1


@pytest.mark.parametrize("killed_at", [(2, 0), (2, 2)], ids=str)
@pytest.mark.parametrize("options", [{}, WITHIN_EPOCHS], ids=["epochs", "within epochs"])
@pytest.mark.parametrize("variant", [VAE, AdversarialAE])
def test_a_plateau_loses_no_step(train, variant, options, killed_at):
    """A checkpoint of an epoch has the epoch's step; one of its last validation, the loss to step by."""
    require_exact(train, variant, VAL_PLATEAU, killed_at, **options)


@pytest.mark.parametrize("options", [{}, WITHIN_EPOCHS], ids=["epochs", "within epochs"])
@pytest.mark.parametrize("variant", [VAE, AdversarialAE])
def test_a_training_of_so_many_steps_ends_no_epoch_twice(train, variant, options):
    """Lightning would: with other images in the steps that follow, and fewer of them."""
    # Also of two players: their steps of a batch are one step of the training.
    require_exact(train, variant, STEPS, (2, 0), max_steps=12, **options)


@pytest.mark.parametrize("variant", [VAE, Duel])
def test_gradients_that_are_being_accumulated_are_kept(train, variant):
    """The validation after three of an epoch's six batches is between the two batches of a step."""
    options = {"accumulate_grad_batches": 2, "val_check_interval": 3, "gradient_clip_val": 0.5, "batch_size": 4}
    require_exact(train, variant, STEPS, (2, 4), **options)


@pytest.mark.parametrize(
    "make",
    [
        partial(GradientAccumulationScheduler, {0: 1, 1: 2}),
        partial(StochasticWeightAveraging, swa_lrs=1e-2, swa_epoch_start=2),
    ],
    ids=["accumulation", "average"],
)
def test_what_a_callback_sets_for_an_epoch_holds_for_the_rest_of_one_that_is_gone_on_with(train, make):
    options = {"val_check_interval": 3, "batch_size": 4}
    require_exact(train, VAE, STEPS, (2, 4), more=lambda: [make()], **options)


def test_an_epoch_is_not_cut_short_by_larger_batches(train):
    """After three of six batches; of three there would be none to come."""
    last = train("killed", VAE, STEPS, killed_at=(2, 4), val_check_interval=3, batch_size=4)
    with pytest.raises(CheckpointError, match="batches of 4 samples, which cannot go on with 8; set "):
        train("gone on", VAE, STEPS, checkpoint=last, batch_size=8)


@pytest.mark.parametrize("options", [{}, {"val_check_interval": 3}], ids=["epochs", "within epochs"])
def test_after_an_epoch_batches_may_be_of_another_size(train, options):
    last = train("killed", VAE, STEPS, killed_at=(2, 0), batch_size=4, **options)
    steps, _ = train("gone on", VAE, STEPS, checkpoint=last, batch_size=16)
    assert [step[:2] for step in steps] == [(2, 0), (2, 1), (3, 0), (3, 1)]


@pytest.mark.parametrize("killed_at", [(1, 0), (1, 1), (1, 2), (2, 0)], ids=str)
def test_a_phase_begins_once_however_often_a_training_is_gone_on_with(train, killed_at):
    """The second begins with the second batch of the second epoch."""
    require_exact(train, Begun, STEPS, killed_at, val_check_interval=1)


@pytest.mark.parametrize("monitor", ["val/los", "val/loss"])
@pytest.mark.parametrize("variant", [VAE, AdversarialAE])
def test_a_plateau_of_what_is_not_measured_is_refused(train, variant, monitor):
    with pytest.raises(ConfigError, match=rf"^model\.scheduler\.monitor: '{monitor}' is not known; .*train/loss"):
        train("refused", variant, partial(PLATEAU, monitor=monitor), validate=monitor == "val/los")


@pytest.mark.parametrize("variant", [VAE, AdversarialAE])
def test_a_plateau_without_a_monitor_is_refused(train, variant):
    with pytest.raises(ConfigError, match=r"^model\.scheduler: ReduceLROnPlateau needs a monitor"):
        train("refused", variant, torch.optim.lr_scheduler.ReduceLROnPlateau)


def test_a_plateau_may_step_with_the_batches_that_step(tmp_path):
    """Two of an epoch's three: the rate falls after each but the first."""
    model = VAE(
        spec=DataSpec(SHAPE),
        network=Linear(),
        latent_dim=3,
        optimizer=partial(torch.optim.SGD, lr=1.0),
        scheduler=partial(PLATEAU, monitor="train/loss"),
        scheduler_interval="step",
    )
    data = DataModule(name="npz", path=str(write_images(tmp_path, SHAPE, 27)), batch_size=8, num_val=5)
    trainer = build_trainer(1, accumulate_grad_batches=2, gradient_clip_val=1e-3)
    trainer.fit(model, data)
    assert trainer.optimizers[0].param_groups[0]["lr"] == 0.5
