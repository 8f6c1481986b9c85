"""Trainings on augmented images: which images are augmented, gone on with, in ranks, and with two views."""

from __future__ import annotations

from functools import partial

import lightning.pytorch as pl
import pytest
import torch

from ae_lightning.checkpoints.data import data_of_checkpoint
from ae_lightning.checkpoints.loading import read_checkpoint
from ae_lightning.command_line.run_names import run_name
from ae_lightning.data.datamodule import DataModule
from ae_lightning.errors import ConfigError
from ae_lightning.networks import Linear
from ae_lightning.spec import DataSpec
from ae_lightning.testing import VariantSuite
from ae_lightning.testing.ranks import train_in_ranks
from ae_lightning.testing.training import TrainingJob, build_trainer, weights_of, write_images
from ae_lightning.variants.vanilla import VanillaAE

pytestmark = pytest.mark.filterwarnings("ignore:::lightning", "ignore:data.augment")

SHAPE = (3, 8, 8)
AUGMENT = [
    {"class_path": "RandomAffine", "init_args": {"degrees": 20, "translate": [0.1, 0.1], "interpolation": "bilinear"}},
    {"class_path": "ColorJitter", "init_args": {"brightness": 0.4, "hue": 0.2}},
    "GaussianNoise",
    {"class_path": "torchvision.transforms.v2.RandomRotation", "init_args": {"degrees": 30}},
]


class TwoViewsAE(VanillaAE):
    """Also brings the codes of two views of an image together."""

    num_views = 2

    def loss_terms(self, batch, draws):
        (other,) = batch.views
        distance = (self.encode(batch.x) - self.encode(other)).square().sum(dim=1)
        return {**super().loss_terms(batch, draws), "distance": distance}


class Seen(pl.Callback):
    """Keeps the batches of each stage, and a checkpoint after one of them."""

    def __init__(self, checkpoint=None, after=None):
        self.batches, self.checkpoint, self.after = [], checkpoint, after

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.batches.append(("train", batch))

    def on_validation_batch_start(self, trainer, pl_module, batch, batch_idx, dataloader_idx=0):
        self.batches.append(("val", batch))

    def on_test_batch_start(self, trainer, pl_module, batch, batch_idx, dataloader_idx=0):
        self.batches.append(("test", batch))

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if trainer.global_step == self.after:
            trainer.save_checkpoint(self.checkpoint)

    def of(self, stage):
        return [batch for name, batch in self.batches if name == stage]


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return str(write_images(tmp_path_factory.mktemp("images"), SHAPE, 43))


def module(archive, **settings):
    return DataModule("npz", path=archive, **{"batch_size": 8, "num_val": 8, "augment": AUGMENT, **settings})


def model(variant=VanillaAE):
    torch.manual_seed(0)
    return variant(spec=DataSpec(SHAPE), network=Linear(), latent_dim=3)


def test_training_sees_augmented_images_and_nothing_else_does(archive):
    data, seen = module(archive), Seen()
    trainer = build_trainer(2, callbacks=[seen], validate=True, precision="bf16-mixed")
    trainer.fit(model(), data)
    trainer.test(model(), data, verbose=False)
    for stage in ("train", "val", "test"):
        for batch in seen.of(stage):
            plain = data.scale(data.split(stage).x[batch.indices])
            assert batch.x.dtype == torch.float32
            assert batch.x.is_contiguous(memory_format=torch.channels_last)
            assert batch.views == ()
            are_plain = (batch.x == plain).flatten(1).all(dim=1)
            assert not are_plain.any() if stage == "train" else are_plain.all()
    # The codes that measures are fitted to are of the images as they are.
    torch.testing.assert_close(data.split("train").x, module(archive, augment=None).split("train").x)


@pytest.mark.parametrize("after", [3, 7])
def test_going_on_within_an_epoch_is_exact(archive, tmp_path, after):
    """The same images come, augmented alike: five batches an epoch."""
    path, whole, rest = tmp_path / "within.ckpt", Seen(tmp_path / "within.ckpt", after), Seen()
    expected, found = model(), model()
    build_trainer(2, callbacks=[whole]).fit(expected, module(archive))
    torch.rand(3)
    build_trainer(2, callbacks=[rest]).fit(found, module(archive), ckpt_path=path)
    later = whole.of("train")[after:]
    assert len(later) == 10 - after
    assert all(torch.equal(one.x, other.x) for one, other in zip(rest.of("train"), later, strict=True))
    assert torch.equal(weights_of(found), weights_of(expected))


def test_a_run_is_called_after_what_augments_its_images():
    config = {"data": {"name": "digits", "augment": [*AUGMENT[:2], "GaussianNoise", AUGMENT[-1]]}}
    named = "VanillaAE-3 augment=RandomAffine+ColorJitter+GaussianNoise+RandomRotation"
    assert run_name(model(), config) == named
    assert run_name(model(), {"data": {"name": "digits", "augment": None}}) == "VanillaAE-3"


def test_overfitting_sees_the_same_images_augmented_anew(archive):
    seen = Seen()
    build_trainer(2, callbacks=[seen], overfit_batches=1, accumulate_grad_batches=2).fit(model(), module(archive))
    first, second = seen.of("train")
    assert torch.equal(first.indices, second.indices)
    assert not torch.equal(first.x, second.x)


@pytest.mark.slow
def test_two_processes_train_as_one(archive):
    """35 images: the last global batch is uneven."""
    options = {
        "spec": DataSpec(SHAPE),
        "network": Linear(),
        "latent_dim": 3,
        "optimizer": partial(torch.optim.SGD, lr=1e-4),
    }
    data = {"name": "npz", "path": archive, "batch_size": 10, "num_val": 8, "augment": AUGMENT}
    job = TrainingJob(VanillaAE, options, data, epochs=2)
    alone, (together,) = job.run(), train_in_ranks([job])
    for expected, found in zip(alone.gradients, together.gradients, strict=True):
        assert (found - expected).norm() <= 2e-6 * expected.norm()
    assert (together.weights - alone.weights).norm() <= 2e-6 * alone.weights.norm()


def test_a_variant_is_given_as_many_views_as_it_asks_for(archive):
    data, seen = module(archive), Seen()
    build_trainer(1, callbacks=[seen], validate=True).fit(model(TwoViewsAE), data)
    for batch in seen.of("train"):
        assert len(batch.views) == 1
        assert batch.views[0].shape == batch.x.shape
        assert not torch.equal(batch.views[0], batch.x)
    assert all(batch.views[0] is batch.x for batch in seen.of("val"))


@pytest.mark.slow
class TestTwoViewsAE(VariantSuite):
    variant = TwoViewsAE
    augment = ("GaussianNoise",)
    epochs = 1


def test_views_that_nothing_makes_are_refused(archive):
    words = "TwoViewsAE trains on 2 views of each image, which it makes; it must not be null"
    with pytest.raises(ConfigError, match=words):
        build_trainer().fit(model(TwoViewsAE), module(archive, augment=None))


def test_a_checkpoint_brings_its_augmentation_and_imports_none(archive, tmp_path):
    """Of what lies outside of the package: whoever judges a checkpoint trusts it with no code."""
    trainer = build_trainer()
    trainer.fit(model(), module(archive, augment=AUGMENT[:3]))
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    data = data_of_checkpoint(read_checkpoint(tmp_path / "last.ckpt"))
    assert data.hparams["augment"][0] == AUGMENT[0]
    assert data.can_augment
    elsewhere = module(archive, augment=["nowhere.Turned"])
    build_trainer().test(model(), elsewhere, verbose=False)
    assert elsewhere.is_augmented
    assert not elsewhere.can_augment
    with pytest.raises(ConfigError, match=r"data.augment: 'nowhere.Turned' cannot be imported"):
        build_trainer().fit(model(), elsewhere)
