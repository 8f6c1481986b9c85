from __future__ import annotations

from functools import partial

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from lightning.pytorch.cli import ReduceLROnPlateau
from torch.optim.lr_scheduler import StepLR

from ae_lightning.autoencoder import Autoencoder
from ae_lightning.data.datamodule import ImageDataModule
from ae_lightning.data.loader import Batch
from ae_lightning.errors import ConfigError
from ae_lightning.networks import Conv, Linear, ResNet
from ae_lightning.testing.training import (
    GradientRecorder,
    build_trainer,
    draws_for,
    generate_batch,
    generate_images,
    one_thread,
    weights_of,
    write_images,
)
from ae_lightning.training.schedules import num_training_batches
from ae_lightning.variants.vae import VAE
from ae_lightning.variants.vanilla import VanillaAE

pytestmark = pytest.mark.filterwarnings("ignore:::lightning")

SHAPE = (1, 8, 8)
NUM_TRAIN = 22
SMALL = {"input_shape": SHAPE, "network": Linear(), "latent_dim": 3}
EACH_STEP = {"scheduler": partial(StepLR, step_size=1), "scheduler_interval": "step"}


class TwoTerms(Autoencoder):
    """One term an image, one of the whole batch, each weighed."""

    def loss_terms(self, x_BCHW, draws):
        z_BL = self.encode(x_BCHW)
        return {"reconstruction": self.reconstruction_term(x_BCHW, z_BL), "size": z_BL.square().mean()}

    def term_weights(self):
        return {"size": 3.0}


class LearningRates(pl.Callback):
    """The learning rate of every step, and what every batch was."""

    def __init__(self):
        self.rates, self.batches = [], []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])
        self.batches.append(batch)


class LoggedNames(pl.Callback):
    """What was logged at each training step, by name."""

    def __init__(self):
        self.steps = []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.steps.append({name: value.item() for name, value in trainer.logged_metrics.items()})


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    with one_thread():
        yield


@pytest.fixture
def data(tmp_path):
    """22 training images in batches of 8, 8 and 6; 5 to validate on, 2 to test on."""
    return ImageDataModule(
        name="npz", path=str(write_images(tmp_path, SHAPE, NUM_TRAIN + 5)), batch_size=8, num_val=5, scaling="unit"
    )


def whole_split(data, name):
    return data.scale(data.split(name).images)


def fit(model, data, epochs=1, **options):
    trainer = build_trainer(epochs, **options)
    trainer.fit(model, data)
    return trainer


# Construction.


@pytest.mark.parametrize("latent_dim", [0, -3])
def test_a_code_without_a_dimension_is_refused(latent_dim):
    with pytest.raises(ConfigError, match=rf"^model\.latent_dim: {latent_dim} is not allowed; it must be at least 1"):
        VanillaAE(input_shape=SHAPE, latent_dim=latent_dim)


def test_a_negative_beta_is_refused():
    with pytest.raises(ConfigError, match=r"^model\.beta: -1"):
        VAE(input_shape=SHAPE, beta=-1.0)


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"network": Conv(kernel_size=9)}, "network.kernel_size"),
        ({"reconstruction": "mes"}, "reconstruction"),
        ({"reconstruction": "bce", "output_activation": "identity"}, "output_activation"),
    ],
)
def test_what_cannot_be_built_is_refused_by_its_key(options, key):
    with pytest.raises(ConfigError, match=rf"^model\.{key}: "):
        VanillaAE(input_shape=SHAPE, **options)


def test_an_unknown_argument_is_refused():
    with pytest.raises(TypeError, match="latentdim"):
        VanillaAE(input_shape=SHAPE, latentdim=3)


def test_weights_are_channels_last():
    model = VanillaAE(input_shape=(3, 8, 8))
    weights = [parameter for parameter in model.parameters() if parameter.dim() == 4]
    assert weights
    assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in weights)


def test_a_variant_that_says_nothing_reconstructs():
    model = Autoencoder(**SMALL)
    x_BCHW = generate_batch(SHAPE, 2)
    total, terms = model.objective(x_BCHW, draws_for(model, x_BCHW))
    expected = (x_BCHW - model.reconstruct(x_BCHW)).square().sum() / 2
    assert set(terms) == {"reconstruction"}
    torch.testing.assert_close(total, expected)


def test_the_recipe_is_shared_and_its_weights_are_not():
    network = Conv(filters=[4])
    one, other = (VanillaAE(input_shape=SHAPE, network=network) for _ in range(2))
    assert {id(parameter) for parameter in one.parameters()}.isdisjoint(map(id, other.parameters()))


# What comes out.


def test_reconstruct_decodes_the_mean_code():
    model = VAE(**SMALL).eval()
    x_BCHW = generate_batch(SHAPE, 4)
    mean_BL, _ = model.posterior(x_BCHW)
    assert torch.equal(model.encode(x_BCHW), mean_BL)
    assert torch.equal(model.reconstruct(x_BCHW), model.decode(mean_BL))


def test_softmax_reconstructions_have_the_brightness_of_their_images():
    model = VanillaAE(**SMALL, reconstruction="softmax").eval()
    x_BCHW = generate_batch(SHAPE, 4)
    sums = model.reconstruct(x_BCHW).sum(dim=(1, 2, 3))
    torch.testing.assert_close(sums, x_BCHW.sum(dim=(1, 2, 3)))
    assert model.decode(model.encode(x_BCHW)).amax(dim=(1, 2, 3)).tolist() == pytest.approx([1] * 4)


def test_samples_are_decoded_draws_of_the_prior():
    model = VanillaAE(**SMALL).eval()
    codes = model.sample_codes(5000, seed=1)
    assert codes.shape == (5000, 3)
    assert codes.mean(dim=0).abs().max() < 0.06
    assert (codes.var(dim=0) - 1).abs().max() < 0.08
    assert torch.equal(model.sample(5000, seed=1), model.decode(codes))
    assert not model.sample(2).requires_grad


def test_sampling_leaves_the_global_generator_alone():
    model = VanillaAE(**SMALL)
    before = torch.get_rng_state()
    model.sample(3)
    assert torch.equal(torch.get_rng_state(), before)


def test_outputs_are_float32_under_autocast():
    model = VAE(**SMALL).eval()
    x_BCHW = generate_batch(SHAPE, 2)
    with torch.autocast("cpu", torch.bfloat16):
        outputs = (model.encode(x_BCHW), model.reconstruct(x_BCHW), model.sample(2))
        terms = model.loss_terms(x_BCHW, draws_for(model, x_BCHW))
    assert {output.dtype for output in (*outputs, *terms.values())} == {torch.float32}


def test_predictions_carry_their_positions(data):
    model = VanillaAE(**SMALL)
    predictions = build_trainer().predict(model, data)
    images = whole_split(data, "test")
    assert torch.cat([prediction.indices for prediction in predictions]).tolist() == list(range(len(images)))
    torch.testing.assert_close(torch.cat([part.codes for part in predictions]), model.encode(images))
    torch.testing.assert_close(torch.cat([part.reconstructions for part in predictions]), model.reconstruct(images))


# The objective and what is logged of it.


def test_terms_are_weighed_once_and_kept_unweighed():
    model = TwoTerms(**SMALL)
    x_BCHW = generate_batch(SHAPE, 4)
    total, means = model.objective(x_BCHW, draws_for(model, x_BCHW))
    squares = (x_BCHW - model.reconstruct(x_BCHW)).square().sum(dim=(1, 2, 3)).mean()
    size = model.encode(x_BCHW).square().mean()
    torch.testing.assert_close(means, {"reconstruction": squares, "size": size})
    torch.testing.assert_close(total, squares + 3 * size)


def test_the_kl_is_logged_without_its_weight():
    x_BCHW = generate_batch(SHAPE, 4)
    found = []
    for beta in (0.0, 1.0, 8.0):
        torch.manual_seed(0)
        model = VAE(**SMALL, beta=beta)
        total, means = model.objective(x_BCHW, draws_for(model, x_BCHW))
        torch.testing.assert_close(total, means["reconstruction"] + beta * means["kl"])
        found.append(means["kl"].item())
    assert found[0] > 0
    assert found == [found[0]] * 3


def test_training_logs_every_step_under_the_terms_own_names(data):
    names = LoggedNames()
    fit(VAE(**SMALL), data, callbacks=[names], log_every_n_steps=1)
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
    data = ImageDataModule(name="npz", path=str(tmp_path / "one.npz"), batch_size=8, num_val=8)
    names = LoggedNames()
    model = VAE(**SMALL, optimizer=partial(torch.optim.SGD, lr=0.0))
    fit(model, data, epochs=2, callbacks=[names], log_every_n_steps=1)
    assert len({step["train/reconstruction"] for step in names.steps}) == 4
    assert len({step["train/kl"] for step in names.steps}) == 1


# The training step.


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
        fit(model, ImageDataModule(name="npz", path=str(path), batch_size=8, num_val=2), callbacks=[seen])
        assert {type(batch) for batch in seen.batches} == {Batch}
        ends.append(weights_of(model))
    assert Batch._fields == ("images", "indices", "offset", "global_size")
    assert torch.equal(ends[0], ends[1])


def test_a_step_follows_the_mean_over_the_batchs_images(data):
    """Also of the last batch, which has 6 images and not 8: its gradient is that of a mean over 6."""
    model = VanillaAE(**SMALL, optimizer=partial(torch.optim.SGD, lr=0.0))
    recorder, seen = GradientRecorder(), LearningRates()
    fit(model, data, callbacks=[recorder, seen])
    assert [len(batch.images) for batch in seen.batches] == [8, 8, 6]
    for batch, gradients in zip(seen.batches, recorder.steps, strict=True):
        model.zero_grad()
        (batch.images - model.reconstruct(batch.images)).square().sum(dim=(1, 2, 3)).mean().backward()
        torch.testing.assert_close(gradients, {name: parameter.grad for name, parameter in model.named_parameters()})


def test_uneven_ranks_average_to_the_global_mean(data):
    """Ranks of 5 and 3 images, averaged as if they were equal, give the gradient of the 8."""
    images = whole_split(data, "train")[:8]
    model = VanillaAE(**SMALL)
    losses = []
    for offset, num_images in ((0, 5), (5, 3)):
        batch = Batch(images[offset : offset + num_images], torch.arange(num_images), offset, 8)
        losses.append(training_loss(model, batch, world_size=2))
    alone = training_loss(model, Batch(images, torch.arange(8), 0, 8), world_size=1)
    torch.testing.assert_close(sum(losses) / 2, alone)
    assert not torch.isclose(losses[0], alone)


def training_loss(model, batch, world_size):
    objective, _ = model.objective(batch.images, draws_for(model, batch.images))
    model._trainer = type("Ranks", (), {"world_size": world_size})()
    share = model.share_of_global_batch(batch)
    model._trainer = None
    return objective * share


# Optimizer and scheduler.


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
    data = ImageDataModule(name="npz", path=str(write_images(tmp_path, SHAPE, 4)), batch_size=1, num_val=0)
    model = VanillaAE(input_shape=SHAPE, network=network, latent_dim=3)
    with pytest.raises(ConfigError, match=r"^data\.batch_size: batch norm needs at least 2 images a process"):
        fit(model, data)


@pytest.mark.parametrize("network", [ResNet(widths=[4]), Conv(filters=[4, 4, 4]), Linear()], ids=str)
def test_a_single_image_trains_where_it_can(network, tmp_path):
    data = ImageDataModule(name="npz", path=str(write_images(tmp_path, SHAPE, 4)), batch_size=1, num_val=0)
    model = VanillaAE(input_shape=SHAPE, network=network, latent_dim=3)
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
