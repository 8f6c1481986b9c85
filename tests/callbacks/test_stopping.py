"""Trainings that are asked to end: where they end, and that going on from there is exact."""

from __future__ import annotations

import signal

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.utilities.exceptions import SIGTERMException

from ae_lightning.callbacks.checkpointing import RunCheckpoint
from ae_lightning.callbacks.stopping import Stopping
from ae_lightning.data.datamodule import DataModule
from ae_lightning.machine.signals import Requests
from ae_lightning.networks import Linear
from ae_lightning.spec import DataSpec
from ae_lightning.testing.training import build_trainer, weights_of, write_images
from ae_lightning.variants.adversarial import AdversarialAE
from ae_lightning.variants.vae import VAE

pytestmark = pytest.mark.filterwarnings("ignore:::lightning")

SHAPE = (1, 8, 8)
EPOCHS = 4


class Asking(pl.Callback):
    """Sends this process a signal in the middle of a step."""

    def __init__(self, number, epoch, batch):
        self.number, self.moment = number, (epoch, batch)

    def on_before_backward(self, trainer, pl_module, loss):
        if (trainer.current_epoch, trainer.fit_loop.batch_idx) == self.moment:
            self.moment = None
            signal.raise_signal(self.number)


@pytest.fixture(autouse=True)
def _handlers():
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def train(tmp_path):
    """Train on three batches an epoch, or as the data's options have it."""
    path = str(write_images(tmp_path, SHAPE, 27))

    def run(name, *callbacks, data=None, checkpoint=None, variant=VAE, **options):
        torch.manual_seed(0)
        model = variant(spec=DataSpec(SHAPE), network=Linear(), latent_dim=3)
        images = DataModule(**{"name": "npz", "path": path, "batch_size": 8, "num_val": 5, **(data or {})})
        checkpoints = RunCheckpoint(str(tmp_path / name), every_n_epochs=EPOCHS)
        settings = {"validate": True, "enable_checkpointing": True, **options}
        trainer = build_trainer(EPOCHS, callbacks=[Stopping(Requests()), *callbacks, checkpoints], **settings)
        trainer.fit(model, images, ckpt_path=checkpoint)
        return weights_of(model)

    return run


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize(
    ("options", "epoch", "batch", "ends_after"),
    [
        ({}, 1, 0, 4),
        ({}, 1, 2, 6),
        ({"data": {"batch_size": 100}}, 1, 0, 2),
        ({"accumulate_grad_batches": 3}, 1, 0, 1),
        ({"accumulate_grad_batches": 2, "data": {"num_val": 0, "batch_size": 7}}, 1, 0, 2),
        ({"accumulate_grad_batches": 2, "variant": AdversarialAE}, 1, 0, 2),
    ],
    ids=["within an epoch", "last step", "one batch an epoch", "accumulating", "no validation", "players"],
)
def test_a_training_ends_at_the_next_moment_to_go_on_from(train, tmp_path, number, options, epoch, batch, ends_after):
    peace = train("peace", **options)
    with pytest.raises(SIGTERMException):
        train("ended", Asking(number, epoch, batch), **options)
    (last,) = tmp_path.glob("ended/*/last.ckpt")
    assert torch.load(last, weights_only=True)["global_step"] == ends_after
    assert torch.equal(train("gone on", checkpoint=last, **options), peace)
