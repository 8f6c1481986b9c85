"""What is logged of the objective, where and when."""

from __future__ import annotations

from functools import partial

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from torch.optim.lr_scheduler import StepLR

from ae_lightning.data.datamodule import DataModule
from ae_lightning.testing.training import (
    build_trainer,
    generate_images,
)
from ae_lightning.variants.vae import VAE
from ae_lightning.variants.vanilla import VanillaAE
from small_trainings import SHAPE, SMALL, fit, whole_split

pytestmark = pytest.mark.filterwarnings("ignore:::lightning")


class LoggedNames(pl.Callback):
    """What was logged at each training step, by name."""

    def __init__(self):
        self.steps = []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.steps.append({name: value.item() for name, value in trainer.logged_metrics.items()})


def test_training_logs_every_step_under_the_terms_own_names(data):
    names = LoggedNames()
    fit(VAE(**SMALL, beta=1), data, callbacks=[names], log_every_n_steps=1)
    assert [set(step) for step in names.steps] == [{"train/loss", "train/reconstruction", "train/kl"}] * 3
    for step in names.steps:
        assert step["train/loss"] == pytest.approx(step["train/reconstruction"] + step["train/kl"], rel=1e-6)
    assert len({step["train/loss"] for step in names.steps}) == 3


class CountedLogs(VAE):
    """Notes the batches of an epoch whose terms it gives to the Trainer."""

    def __init__(self, **options):
        super().__init__(**options)
        self.batches = []

    def log_dict(self, dictionary, **settings):
        if self.trainer.training:
            self.batches.append(self.trainer.fit_loop.epoch_loop.batch_idx)
        super().log_dict(dictionary, **settings)


@pytest.mark.parametrize(
    ("settings", "options", "expected"),
    [
        ({"log_every_n_steps": 1}, {}, [0, 1, 2]),
        ({"log_every_n_steps": 50}, {}, [2]),
        ({"log_every_n_steps": 50, "max_steps": 2}, {}, [1]),
        ({"log_every_n_steps": 50, "val_check_interval": 2, "validate": True}, {}, [1, 2]),
        (
            {"log_every_n_steps": 50},
            {"scheduler": partial(StepLR, step_size=1), "scheduler_interval": "step"},
            [0, 1, 2],
        ),
    ],
    ids=["logged", "end of epoch", "end of training", "validation", "scheduler"],
)
def test_a_step_gives_its_terms_where_they_are_read(data, settings, options, expected):
    """Lightning takes long to note a value, so the other steps give none."""
    model = CountedLogs(**SMALL, **options)
    trainer = build_trainer(**settings)
    trainer.fit(model, data)
    assert model.batches == expected
    assert trainer.callback_metrics["train/loss"].isfinite()


@pytest.mark.parametrize("stage", ["val", "test"])
def test_evaluation_logs_the_splits_average(stage, data):
    """Every image counts once, however uneven the batches: 5 images here, in batches of 2."""
    data.batch_size = 2
    model = VanillaAE(**SMALL)
    trainer = build_trainer(validate=True)
    (logged,) = (trainer.validate if stage == "val" else trainer.test)(model, data, verbose=False)
    images = whole_split(data, stage)
    squares = (images - model.reconstruct(images)).square().sum(dim=(1, 2, 3)).mean().item()
    assert logged == pytest.approx({f"{stage}/loss": squares, f"{stage}/reconstruction": squares}, rel=1e-5)


def test_val_loss_is_logged_once_an_epoch_beside_training(data):
    model = VAE(**SMALL)
    trainer = fit(model, data, epochs=2, validate=True)
    expected = {f"{stage}/{name}" for stage in ("train", "val") for name in ("loss", "reconstruction", "kl")}
    assert set(trainer.logged_metrics) == expected


def test_noise_differs_from_batch_to_batch_and_epoch_to_epoch(tmp_path):
    """With one image over and over and weights that stay, the noise alone tells two batches apart."""
    images = generate_images(SHAPE, 1).repeat(24, axis=0)
    np.savez(tmp_path / "one.npz", x_train=images, x_test=images)
    data = DataModule(name="npz", path=str(tmp_path / "one.npz"), batch_size=8, num_val=8)
    names = LoggedNames()
    model = VAE(**SMALL, optimizer=partial(torch.optim.SGD, lr=0.0))
    fit(model, data, epochs=2, callbacks=[names], log_every_n_steps=1)
    assert len({step["train/reconstruction"] for step in names.steps}) == 4
    assert len({step["train/kl"] for step in names.steps}) == 1
