"""The data module under Lightning's own Trainer."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from ae_lightning.data import DataModule


class Recorder(LightningModule):
    """Notes which images come in which epoch."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen = []
        self.validated = 0

    def training_step(self, batch, batch_idx):
        assert batch.x.dtype == torch.float32
        assert batch.x.max() <= 1
        self.seen.append((self.current_epoch, batch_idx, batch.indices.tolist()))
        return (self.weight - batch.x.mean()) ** 2

    def validation_step(self, batch, batch_idx):
        self.validated += len(batch.x)

    def test_step(self, batch, batch_idx):
        self.validated += len(batch.x)

    def predict_step(self, batch, batch_idx):
        return batch.indices

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.fixture
def data(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (53, 4, 4), dtype=np.uint8)
    np.savez(tmp_path / "own.npz", x_train=images[:43], x_test=images[43:])
    return lambda **settings: DataModule(
        "npz", path=str(tmp_path / "own.npz"), **{"num_val": 10, "batch_size": 4, **settings}
    )


def trainer(tmp_path, **settings):
    defaults = {
        "accelerator": "cpu",
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "default_root_dir": tmp_path,
        "max_epochs": 3,
        "num_sanity_val_steps": 0,
    }
    return Trainer(**{**defaults, **settings})


def test_every_entry_point_takes_the_loaders(data, tmp_path):
    model, datamodule = Recorder(), data()
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        run = trainer(tmp_path)
        run.fit(model, datamodule)
        assert model.validated == 30
        run.test(model, datamodule, verbose=False)
        assert model.validated == 40
        predicted = run.predict(model, datamodule)
    assert torch.cat(predicted).tolist() == list(range(10))


def test_every_epoch_has_an_order_of_its_own(data, tmp_path):
    model = Recorder()
    trainer(tmp_path).fit(model, data())
    orders = [[index for at, _, seen in model.seen if at == epoch for index in seen] for epoch in range(3)]
    assert all(sorted(order) == list(range(33)) for order in orders)
    assert orders[0] != orders[1] != orders[2] != orders[0]


class LabelRecorder(Callback):
    """Keeps positions and labels of every batch of a training and its validation."""

    def __init__(self):
        self.batches = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.batches.append(("train", batch.indices, batch.labels))

    def on_validation_batch_start(self, trainer, pl_module, batch, batch_idx, dataloader_idx=0):
        self.batches.append(("val", batch.indices, batch.labels))


@pytest.mark.parametrize("needs_labels", [False, True])
def test_batches_bring_labels_to_who_asks_for_them_alone(needs_labels, tmp_path):
    model, recorder = Recorder(), LabelRecorder()
    model.needs_labels = needs_labels
    data = DataModule(batch_size=256)
    trainer(tmp_path, max_epochs=1, callbacks=[recorder]).fit(model, data)
    assert {name for name, _, _ in recorder.batches} == {"train", "val"}
    for name, indices, labels in recorder.batches:
        assert torch.equal(labels, data.split(name).labels[indices]) if needs_labels else labels is None


def test_fit_without_validation(data, tmp_path):
    model = Recorder()
    trainer(tmp_path).fit(model, data(num_val=0))
    assert (len(model.seen), model.validated) == (3 * 11, 0)


def test_overfitting_gets_the_same_batches_each_epoch(data, tmp_path):
    model = Recorder()
    trainer(tmp_path, overfit_batches=2).fit(model, data())
    assert [seen for _, _, seen in model.seen] == 3 * [[0, 1, 2, 3], [4, 5, 6, 7]]


class SaveAfter(Callback):
    """Saves one checkpoint, after a given number of steps or with an epoch's last hooks."""

    def __init__(self, path, step=None, hook=None):
        self.path, self.step, self.hook = path, step, hook

    def save(self, trainer, hook):
        if trainer.global_step == self.step and hook == self.hook:
            trainer.save_checkpoint(self.path)

    def on_train_batch_end(self, trainer, *_):
        self.save(trainer, "batch")

    def on_validation_end(self, trainer, _):
        self.save(trainer, "validation")

    def on_train_epoch_end(self, trainer, _):
        self.save(trainer, "epoch")


@pytest.mark.parametrize(
    ("step", "hook"),
    [
        (1, "batch"),
        (7, "batch"),
        (8, "batch"),
        (9, "batch"),
        (8, "validation"),
        (8, "epoch"),
        (12, "validation"),
        (24, "epoch"),
    ],
)
def test_a_run_resumed_anywhere_sees_what_an_unbroken_one_sees(data, tmp_path, step, hook):
    settings = {"val_check_interval": 4} if step == 12 else {}
    path = tmp_path / "at.ckpt"
    whole = Recorder()
    trainer(tmp_path, callbacks=[SaveAfter(path, step, hook)], **settings).fit(whole, data())
    resumed = Recorder()
    trainer(tmp_path, **settings).fit(resumed, data(), ckpt_path=path)
    assert resumed.seen == whole.seen[step:]


class RankTwoOfThree:
    """What the data module asks a trainer for."""

    global_rank = 1
    world_size = 3
    strategy = SimpleNamespace(root_device=torch.device("cpu"))


def test_a_rank_takes_its_share(data):
    datamodule = data()
    datamodule.trainer = RankTwoOfThree()
    batches = list(datamodule.predict_dataloader())
    assert [(batch.indices.tolist(), batch.offset, batch.global_size) for batch in batches] == [([4, 5, 6], 4, 10)]
