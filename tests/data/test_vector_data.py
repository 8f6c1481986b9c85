"""Samples as deep as they are stored, and of other shapes than images, through the data module."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

from ae_lightning.data import DataModule
from ae_lightning.errors import CheckpointError, ConfigError, DataError
from ae_lightning.networks import MLP
from ae_lightning.spec import Factors
from ae_lightning.testing.training import build_trainer
from ae_lightning.variants.vanilla import VanillaAE

pytestmark = pytest.mark.filterwarnings("ignore:::lightning")


@pytest.fixture
def write(tmp_path):
    """Write an archive; return the data module's arguments."""

    def archive(name="own", **arrays):
        np.savez(tmp_path / f"{name}.npz", **arrays)
        return {"name": "npz", "path": str(tmp_path / f"{name}.npz"), "batch_size": 8, "num_val": 10}

    return archive


def vectors(num=50, seed=0):
    return np.random.default_rng(seed).normal(size=(num, 6)) * 10.0 ** np.arange(-2, 4) + 7


def batch_of(data):
    return data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)


def test_vectors_are_standardised_by_the_train_split_alone(write):
    x = vectors()
    data = DataModule(**write(x_train=x, x_test=100 + vectors(20, 1)))
    spec = data.spec
    assert (spec.shape, spec.kind, spec.value_range, spec.num_train) == ((6,), "vector", None, 40)
    train = data.split("train").x
    scaled = data.scale(train)
    assert scaled.mean(dim=0).abs().max() < 1e-4
    torch.testing.assert_close(scaled.std(dim=0, correction=0), torch.ones(6))
    assert data.scale(data.split("val").x).mean(dim=0).abs().max() > 1e-3
    batch = batch_of(data)
    assert torch.equal(batch.x, data.scale(train[batch.indices]))


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_images_deeper_than_a_byte_keep_their_depth_until_they_are_scaled(write, dtype):
    images = np.random.default_rng(0).random((50, 4, 5)).astype(np.float32)
    stored = images if dtype == np.float32 else np.rint(images * 65535).astype(np.uint16)
    data = DataModule(**write(x_train=stored, x_test=stored[:5]))
    assert data.spec.shape == (1, 4, 5)
    assert data.spec.value_range == (0.0, 1.0)
    raw = next(iter(data.train_dataloader()))
    assert raw.x.numpy().dtype == dtype
    scaled = data.on_after_batch_transfer(raw, 0).x
    assert scaled.is_contiguous(memory_format=torch.channels_last)
    steps = len(np.unique(scaled.numpy()))
    assert steps > 140, "more than 8 bits would hold of 160 values"
    found = data.scale(data.split("test").x).numpy()[:, 0]
    np.testing.assert_allclose(found, images[:5], atol=0 if dtype == np.float32 else 1e-5)


@pytest.mark.parametrize("scaling", ["dataset_max", "standard", "none"])
def test_images_may_be_scaled_otherwise(write, scaling):
    images = np.random.default_rng(0).integers(0, 200, (50, 4, 5), dtype=np.uint8)
    data = DataModule(**write(x_train=images, x_test=images[:5]), scaling=scaling)
    train = data.split("train").x.double()
    expected = {
        "dataset_max": train / train.max(),
        "standard": (train - train.mean(dim=0)) / train.std(dim=0, correction=0),
        "none": train,
    }[scaling]
    torch.testing.assert_close(data.scale(data.split("train").x).double(), expected, atol=1e-5, rtol=1e-5)
    assert (data.spec.value_range is None) == (scaling != "dataset_max")


def test_factors_are_said_and_divided_with_the_samples(write):
    x = np.arange(50.0)[:, None] * np.ones(3)
    factors = np.stack([np.arange(50) % 5, np.arange(50) // 25], axis=1)
    data = DataModule(**write(x_train=x, x_test=x[:5], factors_train=factors, factors_test=factors[:5]))
    assert data.spec.factors == Factors(("0", "1"), (5, 2))
    for name in ("train", "val", "test"):
        split = data.split(name)
        assert split.factors.tolist() == [[int(one) % 5, int(one) // 25] for one in split.x[:, 0].tolist()]


def test_what_a_checkpoint_keeps_scales_other_data(write):
    first = DataModule(**write(x_train=vectors(), x_test=vectors(9)))
    other = DataModule(**write("other", x_train=3 * vectors(30, 1), x_test=vectors(9, 2)))
    x = other.split("test").x
    assert not torch.allclose(other.scale(x), first.scale(x))
    other.load_state_dict(first.state_dict())
    assert torch.equal(other.scale(x), first.scale(x))
    assert other.state_dict()["scaling"] == first.state_dict()["scaling"]


def test_another_rule_than_the_checkpoints_stays(write):
    arguments = write(x_train=vectors(), x_test=vectors(9))
    standardised, unscaled = DataModule(**arguments), DataModule(**arguments, scaling="none")
    unscaled.load_state_dict(standardised.state_dict())
    assert torch.equal(unscaled.scale(unscaled.split("test").x), unscaled.split("test").x)


def test_statistics_of_another_shape_are_refused(write):
    first = DataModule(**write(x_train=vectors(), x_test=vectors(9)))
    other = DataModule(**write("other", x_train=vectors()[:, :4], x_test=vectors(9)[:, :4]))
    with pytest.raises(CheckpointError, match=r"scales samples of shape \(6,\), not \(4,\)"):
        other.load_state_dict(first.state_dict())


def test_a_trainer_keeps_and_restores_the_scaling(write, tmp_path):
    data = DataModule(**write(x_train=vectors(), x_test=vectors(9)))
    trainer = build_trainer()
    trainer.fit(VanillaAE(spec=data.spec, network=MLP(hidden=[4]), latent_dim=2), data)
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    other = DataModule(**write("other", x_train=3 * vectors(30, 1), x_test=vectors(9, 2)))
    model = VanillaAE(spec=other.spec, network=MLP(hidden=[4]), latent_dim=2)
    build_trainer().test(model, other, ckpt_path=tmp_path / "last.ckpt", weights_only=True, verbose=False)
    assert other.state_dict()["scaling"] == data.state_dict()["scaling"]


def test_unscaled_features_are_learned_once_standardised(write):
    """The smallest feature, a millionth of the largest in variance, is reconstructed as well as any."""
    plane = np.random.default_rng(3).normal(size=(2, 6))
    x = (np.random.default_rng(0).normal(size=(200, 2)) @ plane) * 10.0 ** np.arange(-2, 4)
    data = DataModule(**write(x_train=x, x_test=x[:50]))
    torch.manual_seed(0)
    fast = partial(torch.optim.Adam, lr=1e-2)
    model = VanillaAE(spec=data.spec, network=MLP(hidden=[16]), latent_dim=2, optimizer=fast)
    build_trainer(15).fit(model, data)
    test = data.scale(data.split("test").x)
    with torch.no_grad():
        errors = (model.eval().reconstruct(test) - test).square().mean(dim=0)
    assert errors.max() < 0.3


@pytest.mark.parametrize(
    ("arrays", "settings", "error", "said"),
    [
        ({"x_train": np.full((40, 4, 4), 200.0)}, {}, ConfigError, "unit takes values from 0 to 1"),
        ({"x_train": np.full((40, 4, 4), -1.0)}, {"scaling": "dataset_max"}, ConfigError, "no values below 0"),
        ({"x_train": np.full((40, 4), np.nan)}, {}, DataError, "x_train has values that are NaN"),
        ({"x_train": np.ones((40, 4))}, {"scaling": "image_max"}, ConfigError, "image_max is for images"),
        ({"x_train": np.ones((40, 4))}, {"overlay": True}, ConfigError, "data.overlay lays images over each other"),
    ],
)
def test_values_that_do_not_fit_are_refused_before_training(write, arrays, settings, error, said):
    data = DataModule(**write(**arrays, x_test=np.nan_to_num(arrays["x_train"][:5])), **settings)
    with pytest.raises(error, match=said) as caught:
        data.setup("fit")
    assert "\n" not in str(caught.value)


def test_an_unknown_scaling_is_refused():
    with pytest.raises(ConfigError, match=r"^data\.scaling: 'max' is not"):
        DataModule(scaling="max")
