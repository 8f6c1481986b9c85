"""What a training step sees and does: batches, gradients, optimizers and rates."""

from __future__ import annotations

from functools import partial

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from lightning.pytorch.cli import ReduceLROnPlateau

from ae_lightning.data.batch import Batch
from ae_lightning.data.datamodule import DataModule
from ae_lightning.errors import ConfigError
from ae_lightning.networks import Conv, Linear, ResNet
from ae_lightning.spec import DataSpec
from ae_lightning.testing.training import (
    GradientRecorder,
    draws_for,
    generate_images,
    weights_of,
    write_images,
)
from ae_lightning.training.schedules import num_training_batches
from ae_lightning.variants.vae import VAE
from ae_lightning.variants.vanilla import VanillaAE
from small_trainings import SHAPE, SMALL, fit, whole_split

pytestmark = pytest.mark.filterwarnings("ignore:::lightning")


class LearningRates(pl.Callback):
    """The learning rate of every step, and what every batch was."""

    def __init__(self):
        self.rates, self.batches = [], []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])
        self.batches.append(batch)


def test_labels_never_reach_a_training_step(tmp_path):
    images = generate_images(SHAPE, 20)
    labelled, unlabelled = tmp_path / "labelled.npz", tmp_path / "unlabelled.npz"
    labels = np.arange(20) % 4
    np.savez(labelled, x_train=images, x_test=images[:4], y_train=labels, y_test=labels[:4])
    np.savez(unlabelled, x_train=images, x_test=images[:4])
    ends = []
    for path in (labelled, unlabelled):
        torch.manual_seed(0)
        seen = LearningRates()
        model = VAE(**SMALL)
        fit(model, DataModule(name="npz", path=str(path), batch_size=8, num_val=2), callbacks=[seen])
        assert {type(batch) for batch in seen.batches} == {Batch}
        ends.append(weights_of(model))
        assert [batch.labels for batch in seen.batches] == [None] * len(seen.batches)
    assert torch.equal(ends[0], ends[1])


def test_a_step_follows_the_mean_over_the_batchs_images(data):
    """Also of the last batch, which has 6 images and not 8: its gradient is that of a mean over 6."""
    model = VanillaAE(**SMALL, optimizer=partial(torch.optim.SGD, lr=0.0))
    recorder, seen = GradientRecorder(), LearningRates()
    fit(model, data, callbacks=[recorder, seen])
    assert [len(batch.x) for batch in seen.batches] == [8, 8, 6]
    for batch, gradients in zip(seen.batches, recorder.steps, strict=True):
        model.zero_grad()
        (batch.x - model.reconstruct(batch.x)).square().sum(dim=(1, 2, 3)).mean().backward()
        torch.testing.assert_close(gradients, {name: parameter.grad for name, parameter in model.named_parameters()})


def test_uneven_ranks_average_to_the_global_mean(data):
    """Ranks of 5 and 3 images, averaged as if they were equal, give the gradient of the 8."""
    images = whole_split(data, "train")[:8]
    model = VanillaAE(**SMALL)
    losses = []
    for offset, num_images in ((0, 5), (5, 3)):
        batch = Batch(images[offset : offset + num_images], None, torch.arange(num_images), offset, 8)
        losses.append(training_loss(model, batch, world_size=2))
    alone = training_loss(model, Batch(images, None, torch.arange(8), 0, 8), world_size=1)
    torch.testing.assert_close(sum(losses) / 2, alone)
    assert not torch.isclose(losses[0], alone)


def training_loss(model, batch, world_size):
    objective, _ = model.objective(batch, draws_for(model, batch.x))
    model._trainer = type("Ranks", (), {"world_size": world_size})()
    share = model.share_of_global_batch(batch)
    model._trainer = None
    return objective * share


def test_the_optimizer_is_the_one_that_was_asked_for():
    model = VanillaAE(**SMALL, optimizer=partial(torch.optim.SGD, lr=0.5, momentum=0.25))
    optimizer = model.configure_optimizers()["optimizer"]
    assert type(optimizer) is torch.optim.SGD
    assert (optimizer.defaults["lr"], optimizer.defaults["momentum"]) == (0.5, 0.25)
    assert optimizer.param_groups[0]["fused"]
    assert {id(parameter) for parameter in optimizer.param_groups[0]["params"]} == set(map(id, model.parameters()))


@pytest.mark.parametrize(
    ("interval", "expected"),
    [("epoch", [1.0, 1.0, 1.0, 0.5, 0.5, 0.5]), ("step", [1.0, 0.5, 0.25, 0.125, 0.0625, 0.03125])],
)
def test_a_scheduler_steps_once_an_epoch_or_once_a_batch(interval, expected, data):
    rates = LearningRates()
    model = VanillaAE(
        **SMALL,
        optimizer=partial(torch.optim.SGD, lr=1.0),
        scheduler=partial(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.5),
        scheduler_interval=interval,
    )
    # A learning rate of 1 would not survive the gradients of a sum over pixels.
    fit(model, data, epochs=2, callbacks=[rates], gradient_clip_val=1e-3)
    assert rates.rates == pytest.approx(expected)


def test_a_plateau_scheduler_follows_what_it_monitors(data):
    """With a learning rate of 0 nothing ever improves: the factor is taken after every epoch but the first."""
    rates = LearningRates()
    model = VanillaAE(
        **SMALL,
        optimizer=partial(torch.optim.SGD, lr=1e-9),
        scheduler=partial(ReduceLROnPlateau, monitor="val/loss", factor=0.5, patience=0, eps=0.0, threshold=0.1),
    )
    fit(model, data, epochs=4, callbacks=[rates], validate=True)
    assert rates.rates[::3] == pytest.approx([1e-9, 1e-9, 0.5e-9, 0.25e-9])


def test_without_a_scheduler_the_rate_stays(data):
    rates = LearningRates()
    fit(VanillaAE(**SMALL, optimizer=partial(torch.optim.Adam, lr=0.01)), data, epochs=2, callbacks=[rates])
    assert rates.rates == [0.01] * 6


@pytest.mark.parametrize(("max_steps", "num_batches"), [(1, 2), (2, 3), (3, 5), (4, 6), (5, 8)])
def test_the_last_batch_of_an_epoch_is_a_step_however_few_are_accumulated(max_steps, num_batches, data):
    """Three batches an epoch, two a step: phases share what there is to share."""
    rates = LearningRates()
    trainer = fit(
        VanillaAE(**SMALL), data, epochs=-1, max_steps=max_steps, accumulate_grad_batches=2, callbacks=[rates]
    )
    assert len(rates.batches) == num_training_batches(trainer) == num_batches


@pytest.mark.parametrize("network", [ResNet(widths=[4, 4, 4]), Conv(filters=[4, 4, 4], batch_norm=True)], ids=str)
def test_a_single_image_is_refused_where_batch_norm_needs_more(network, tmp_path):
    """Three stages leave 1 × 1 pixels of 8 × 8: one number a channel."""
    data = DataModule(name="npz", path=str(write_images(tmp_path, SHAPE, 4)), batch_size=1, num_val=0)
    model = VanillaAE(spec=DataSpec(SHAPE), network=network, latent_dim=3)
    with pytest.raises(ConfigError, match=r"^data\.batch_size: batch norm needs at least 2 images a process"):
        fit(model, data)


@pytest.mark.parametrize("network", [ResNet(widths=[4]), Conv(filters=[4, 4, 4]), Linear()], ids=str)
def test_a_single_image_trains_where_it_can(network, tmp_path):
    data = DataModule(name="npz", path=str(write_images(tmp_path, SHAPE, 4)), batch_size=1, num_val=0)
    model = VanillaAE(spec=DataSpec(SHAPE), network=network, latent_dim=3)
    before = weights_of(model)
    # A wrong answer would come without a step.
    assert fit(model, data).global_step == 4
    assert not torch.equal(weights_of(model), before)


def test_what_has_no_phases_needs_no_end(data):
    trainer = fit(VanillaAE(**SMALL), data, epochs=-1, max_time={"seconds": 1})
    assert trainer.global_step > 0


def test_another_seed_trains_to_other_weights(data):
    ends = []
    for seed in (0, 0, 1):
        torch.manual_seed(0)
        model = VAE(**SMALL, seed=seed)
        fit(model, data)
        ends.append(weights_of(model))
    assert torch.equal(ends[0], ends[1])
    assert not torch.equal(ends[0], ends[2])
