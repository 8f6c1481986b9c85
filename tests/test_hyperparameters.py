from __future__ import annotations

import zipfile
from functools import partial

import lightning.pytorch as pl
import pytest
import torch

from ae_lightning.checkpoints.loading import load_autoencoder
from ae_lightning.data.datamodule import DataModule
from ae_lightning.errors import ConfigError
from ae_lightning.hyperparameters import class_path, plain_hyperparameters, plain_value
from ae_lightning.networks import MLP, Conv, Linear
from ae_lightning.spec import DataSpec
from ae_lightning.testing.training import build_trainer, write_images
from ae_lightning.variants.vae import VAE

SHAPE = (1, 8, 8)

pytestmark = pytest.mark.filterwarnings("ignore:::lightning")


def is_plain(value):
    if isinstance(value, dict):
        return all(isinstance(name, str) and is_plain(part) for name, part in value.items())
    if isinstance(value, list | tuple):
        return all(map(is_plain, value))
    return value is None or type(value) in (bool, int, float, str)


@pytest.fixture
def saved(tmp_path):
    """A checkpoint of a model that was built in Python, with everything other than by default."""
    model = VAE(
        spec=DataSpec(SHAPE),
        network=MLP(hidden=[6], activation="tanh"),
        latent_dim=3,
        beta=0.5,
        reconstruction="bce",
        optimizer=partial(torch.optim.AdamW, lr=0.02, betas=(0.8, 0.9)),
        scheduler=partial(torch.optim.lr_scheduler.CosineAnnealingLR, T_max=7),
        scheduler_interval="step",
        seed=4,
    )
    data = DataModule(name="npz", path=str(write_images(tmp_path, SHAPE, 12)), batch_size=4, num_val=2)
    trainer = build_trainer()
    trainer.fit(model, data)
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    return model, tmp_path / "last.ckpt"


def test_a_recipe_is_its_class_and_arguments():
    expected = {"class_path": "ae_lightning.networks.mlp.MLP", "init_args": {"hidden": [3], "activation": "relu"}}
    assert plain_value("network", MLP(hidden=(3,))) == expected
    assert plain_value("network", Linear()) == {"class_path": "ae_lightning.networks.linear.Linear", "init_args": {}}


def test_a_class_is_its_path():
    assert plain_value("optimizer", torch.optim.SGD) == {"class_path": "torch.optim.sgd.SGD"}
    assert class_path(Conv) == "ae_lightning.networks.conv.Conv"


def test_a_partial_call_is_its_class_and_arguments():
    made = plain_value("optimizer", partial(torch.optim.SGD, lr=0.5, momentum=0.25))
    assert made == {"class_path": "torch.optim.sgd.SGD", "init_args": {"lr": 0.5, "momentum": 0.25}}


@pytest.mark.parametrize("value", [None, True, 3, 0.5, "mse", [1, 2], {"start": 0.0}])
def test_plain_values_stay_as_they_are(value):
    assert plain_value("beta", value) == value


def test_a_tuple_becomes_a_list():
    assert plain_value("shape", (1, 8, 8)) == [1, 8, 8]


@pytest.mark.parametrize(
    "optimizer",
    [lambda parameters: torch.optim.SGD(parameters, lr=0.1), partial(lambda parameters, lr: None, lr=0.1)],
    ids=["lambda", "partial of a lambda"],
)
def test_a_function_without_a_class_is_refused_by_name(optimizer):
    with pytest.raises(ConfigError, match=r"^model\.optimizer: .* cannot be kept in a checkpoint; give a class"):
        VAE(spec=DataSpec(SHAPE), optimizer=optimizer)


def half(epoch):
    return 0.5**epoch


@pytest.mark.parametrize("function", [half, lambda epoch: 0.5**epoch], ids=["named", "lambda"])
def test_a_function_among_the_arguments_is_refused_by_name(function):
    """Pickled by its name it would make a checkpoint that refuses to load; a lambda fails as late as the saving."""
    scheduler = partial(torch.optim.lr_scheduler.LambdaLR, lr_lambda=function)
    with pytest.raises(ConfigError, match=r"^model\.scheduler\.lr_lambda: .* cannot be kept in a checkpoint"):
        VAE(spec=DataSpec(SHAPE), scheduler=scheduler)


def test_the_class_and_how_to_build_it_are_kept():
    plain = plain_hyperparameters(VAE, {"beta": 2.0, "spec": DataSpec((1, 8, 8))})
    assert plain["_class_path"] == "ae_lightning.variants.vae.VAE"
    assert plain["_instantiator"] == "lightning.pytorch.cli.instantiate_module"
    assert (plain["beta"], plain["spec"]["shape"]) == (2.0, [1, 8, 8])


def test_a_models_hyperparameters_are_plain_and_complete(saved):
    model, _ = saved
    hparams = dict(model.hparams)
    assert is_plain(hparams)
    assert (hparams["beta"], hparams["latent_dim"], hparams["seed"], hparams["reconstruction"]) == (0.5, 3, 4, "bce")
    assert hparams["scheduler"]["init_args"] == {"T_max": 7}


def test_a_loaded_models_hyperparameters_are_plain(saved):
    _, path = saved
    assert is_plain(dict(load_autoencoder(path).hparams))


def test_a_checkpoint_holds_no_code(saved):
    _, path = saved
    state = torch.load(path, weights_only=True)
    with zipfile.ZipFile(path) as archive:
        (pickled,) = [archive.read(name) for name in archive.namelist() if name.endswith("data.pkl")]
    assert state["hyper_parameters"]["beta"] == 0.5
    assert b"ae_lightning.variants.vae" in pickled  # as a string; a reference to code would refuse to load above
    assert b"functools" not in pickled


def test_a_checkpoint_rebuilds_what_was_built(saved):
    model, path = saved
    loaded = load_autoencoder(path)
    settings = loaded.configure_optimizers()
    group = settings["optimizer"].param_groups[0]
    assert type(settings["optimizer"]) is torch.optim.AdamW
    assert (group["initial_lr"], tuple(group["betas"])) == (0.02, (0.8, 0.9))
    assert settings["lr_scheduler"]["scheduler"].T_max == 7
    assert settings["lr_scheduler"]["interval"] == "step"
    assert str(loaded) == str(model)
    assert (loaded.beta.end, loaded.seed, loaded.reconstruction) == (0.5, 4, model.reconstruction)


def test_lightnings_own_way_to_load_gives_the_same(saved):
    model, path = saved
    loaded = pl.LightningModule.load_from_checkpoint.__func__(VAE, path, weights_only=True)
    images = torch.rand(2, *SHAPE)
    assert torch.equal(loaded.eval().encode(images), model.eval().encode(images))


def test_a_checkpoint_of_a_checkpoint_says_the_same(saved, tmp_path):
    _, path = saved
    loaded = load_autoencoder(path)
    trainer = build_trainer()
    trainer.strategy.connect(loaded)
    trainer.save_checkpoint(tmp_path / "again.ckpt", weights_only=True)
    again = load_autoencoder(tmp_path / "again.ckpt")
    assert dict(again.hparams) == dict(loaded.hparams)
