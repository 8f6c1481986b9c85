"""What training writes, the product reads again; what it could not read is refused before it is written."""

from __future__ import annotations

import collections
import enum
import io
import math
from pathlib import PurePosixPath

import lightning.pytorch as pl
import numpy as np
import pytest
import torch

from ae_lightning.callbacks.checkpointing import RunCheckpoint
from ae_lightning.checkpoints.loading import load_autoencoder, load_state, read_checkpoint
from ae_lightning.checkpoints.readable import readable
from ae_lightning.data.datamodule import DataModule
from ae_lightning.errors import CheckpointError
from ae_lightning.priors.mixture import Mixture
from ae_lightning.testing.training import build_trainer, write_images
from ae_lightning.variants.vae import VAE
from small_trainings import SMALL, small_data

pytestmark = pytest.mark.filterwarnings("ignore:::lightning")


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Keeping(pl.Callback):
    """Keeps a value, from the start or from the end of the first epoch on."""

    def __init__(self, value, *, at_once=True):
        self.late, self.kept = value, value if at_once else None

    def on_train_epoch_end(self, trainer, pl_module):
        self.kept = self.late

    def state_dict(self):
        return {"kept": self.kept, "nested": [{"kept": (self.kept, 1)}]}

    def load_state_dict(self, state_dict):
        self.kept = state_dict["kept"]


def train(folder, *callbacks, data=None, **options):
    model = VAE(**{**SMALL, **options})
    trainer = build_trainer(
        1, callbacks=[RunCheckpoint(str(folder)), *callbacks], validate=True, enable_checkpointing=True
    )
    trainer.fit(model, data or small_data(folder))
    return next(folder.rglob("last.ckpt"))


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(
    ("value", "plain"),
    [(np.float64(0.5), 0.5), (np.int64(4), 4), (np.bool_(True), True), (np.str_("x"), "x"), (Level.HIGH, 3)],
    ids=str,
)
def test_scalars_are_made_plain(tmp_path, value, plain, at_once):
    state = load_state(train(tmp_path, Keeping(value, at_once=at_once)))
    kept = state["callbacks"]["Keeping"]
    assert kept == {"kept": plain, "nested": [{"kept": (plain, 1)}]}
    assert type(kept["kept"]) is type(plain)


def test_hyperparameters_are_made_plain(tmp_path):
    path = str(write_images(tmp_path, (1, 8, 8), 27))
    data = DataModule(name="npz", path=path, batch_size=np.int64(8), num_val=np.int32(5))
    checkpoint = train(tmp_path, data=data, latent_dim=np.int64(4), beta=np.float32(0.5), prior=Mixture(np.int64(3)))
    contents = read_checkpoint(checkpoint)
    settings = contents.model["init_args"]
    assert (settings["latent_dim"], settings["beta"], settings["prior"]["init_args"]["num_components"]) == (4, 0.5, 3)
    assert (contents.data["batch_size"], contents.data["num_val"]) == (8, 5)
    assert load_autoencoder(checkpoint).latent_dim == 4


@pytest.mark.parametrize("value", [np.zeros(3), PurePosixPath, io.StringIO(), torch.Generator(), {"inner": object()}])
def test_what_could_not_be_read_again_is_refused_before_the_first_step(tmp_path, value):
    class Stepping(pl.Callback):
        def on_train_batch_start(self, *_):
            raise AssertionError("a step was taken")

    inner = r"\.inner" if isinstance(value, dict) else ""
    with pytest.raises(CheckpointError, match=rf"^callbacks\.Keeping\.kept{inner}: a value of type \S+ cannot be kept"):
        train(tmp_path, Keeping(value), Stepping())


def test_what_comes_later_is_refused_where_it_would_be_written(tmp_path):
    with pytest.raises(
        CheckpointError, match=r"^callbacks\.Keeping\.kept: a value of type numpy\.ndarray cannot be kept"
    ):
        train(tmp_path, Keeping(np.zeros(3), at_once=False))
    assert not list(tmp_path.rglob("*.ckpt"))


def test_settings_hold_no_tensors():
    with pytest.raises(CheckpointError, match=r"^model\.noise: a value of type torch\.Tensor .* settings are plain"):
        readable({"hyper_parameters": {"noise": torch.ones(2)}})


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, 3, 0.5, "x", [1, (2, {"y": 3})], {1, 2}, b"bytes", 1j, torch.float32, torch.device("cpu")),
        *(torch.ones(2), torch.nn.Parameter(torch.ones(2)), torch.Size([1]), collections.OrderedDict(x=1)),
        *(collections.Counter("aab"), np.float64(1), Colour.RED, PurePosixPath("a/b"), {np.int64(3): 1}),
    ],
    ids=repr,
)
def test_what_is_let_through_is_what_torch_reads(value):
    memory = io.BytesIO()
    torch.save(readable({"x": value}), memory)
    memory.seek(0)
    assert str(torch.load(memory, weights_only=True)["x"]) == str(readable({"x": value})["x"])


@pytest.mark.parametrize(
    "value", [np.zeros(2), collections.defaultdict(int), object(), print, VAE], ids=lambda value: type(value).__name__
)
def test_what_is_not_let_through_is_what_torch_refuses(value):
    if not isinstance(value, dict):
        with pytest.raises(CheckpointError, match=r"^x: a value of type "):
            readable({"x": value})
    else:
        assert type(readable({"x": value})["x"]) is dict


def test_the_function_that_swa_of_torch_2_8_counts_to_its_state_is_left_out():
    state = {"anneal_func": math.cos, "anneal_epochs": 3}
    kept = readable({"lr_schedulers": [state], "callbacks": {"SWA": {"scheduler_state": state, "n_averaged": 0}}})
    assert kept["lr_schedulers"] == [{"anneal_epochs": 3}]
    assert kept["callbacks"] == {"SWA": {"scheduler_state": {"anneal_epochs": 3}, "n_averaged": 0}}
