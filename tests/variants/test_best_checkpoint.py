"""No checkpoint from before the last phase is the best, through a real Trainer."""

from __future__ import annotations

from functools import partial

import lightning.pytorch as pl
import pytest
import torch

from ae_lightning.callbacks.checkpointing import RunCheckpoint
from ae_lightning.data.datamodule import DataModule
from ae_lightning.networks import MLP
from ae_lightning.spec import DataSpec
from ae_lightning.variants.double import DoubleAE
from ae_lightning.variants.stacked import StackedAE
from ae_lightning.variants.vanilla import VanillaAE

pytestmark = pytest.mark.filterwarnings("ignore:::lightning")

NUM_EPOCHS = 6
ADAM = partial(torch.optim.Adam, lr=3e-3)
# From the fourth epoch on steps are wild, so that the lowest validation loss is an early one.
RISING = partial(torch.optim.lr_scheduler.StepLR, step_size=3, gamma=1000.0)


class ValidationLosses(pl.Callback):
    """The validation loss of every epoch, and whether the last phase had begun."""

    def __init__(self):
        self.losses, self.in_last_phase = [], []

    def on_validation_end(self, trainer, pl_module):
        self.losses.append(trainer.callback_metrics["val/loss"].item())
        self.in_last_phase.append(pl_module.in_last_phase)


def train(variant, folder, **settings):
    """Return the losses, and the epoch of the best checkpoint."""
    torch.manual_seed(0)
    options = {"output_activation": "identity", "optimizer": ADAM, "scheduler": RISING}
    model = variant(spec=DataSpec((1, 8, 8)), network=MLP(hidden=[8, 8, 8], activation="tanh"), latent_dim=3, **options)
    losses = ValidationLosses()
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=NUM_EPOCHS,
        callbacks=[losses, RunCheckpoint(directory=str(folder))],
        logger=False,
        num_sanity_val_steps=0,
        **settings,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(model, DataModule(name="digits"))
    return losses, torch.load(trainer.checkpoint_callback.best_model_path, weights_only=False)["epoch"]


@pytest.mark.parametrize("variant", [DoubleAE, StackedAE])
def test_the_best_is_the_best_of_the_last_phase(variant, tmp_path):
    losses, epoch = train(variant, tmp_path)
    assert losses.losses[epoch] > min(losses.losses)
    assert losses.in_last_phase[epoch]
    final = [loss for loss, is_final in zip(losses.losses, losses.in_last_phase, strict=True) if is_final]
    assert losses.losses[epoch] == min(final)
    assert len(final) < NUM_EPOCHS


def test_without_phases_the_best_may_be_an_early_one(tmp_path):
    """The same training of another variant, so that the test above could fail."""
    losses, epoch = train(VanillaAE, tmp_path)
    assert losses.losses[epoch] == min(losses.losses)
    assert epoch < NUM_EPOCHS / 2


def test_the_best_is_found_where_not_every_epoch_is_validated(tmp_path):
    losses, epoch = train(VanillaAE, tmp_path, check_val_every_n_epoch=2)
    assert len(losses.losses) == NUM_EPOCHS // 2
    assert epoch == 2 * losses.losses.index(min(losses.losses)) + 1 != NUM_EPOCHS - 1
