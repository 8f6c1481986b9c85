"""A LightningDataModule of one's own, from the command line."""

from __future__ import annotations

import numpy as np
import pytest
import yaml

from ae_lightning.checkpoints.data import data_of_checkpoint
from ae_lightning.checkpoints.loading import read_checkpoint
from quick_options import QUICK

pytestmark = pytest.mark.slow

MOONS = ("--data", "two_moons.TwoMoons", "--data.num_points", "60")


@pytest.fixture
def trained(workspace):
    outcome = workspace("fit", "--model", "VAE", *MOONS, *QUICK)
    assert outcome.code == 0, outcome.err
    assert "TwoMoons: 8; 60 train, 15 val, 15 test; 2 classes" in outcome.err
    return workspace


def test_it_is_trained_and_restored_from_its_checkpoint(trained):
    params = trained.run().data.params
    assert (params["data"], params["data.num_points"]) == ("TwoMoons", "60")
    tested = trained("test", "--ckpt_path", trained.checkpoint(), *QUICK[-6:])
    assert tested.code == 0, tested.err
    assert "TwoMoons: 8; 60 train, 15 val, 15 test; 2 classes" in tested.err
    # In batches of 4, the last of which has 3.
    options = ("--ckpt_path", trained.checkpoint(), "--data.batch_size", "4", "--output", "codes.npz")
    predicted = trained("predict", *options)
    assert predicted.code == 0, predicted.err
    with np.load(trained.folder / "codes.npz") as arrays:
        assert arrays["indices"].tolist() == list(range(15))
        codes = arrays["codes"]
    whole = trained("predict", *options[:-2], "--data.batch_size", "15", "--output", "whole.npz")
    assert whole.code == 0, whole.err
    with np.load(trained.folder / "whole.npz") as arrays:
        np.testing.assert_allclose(codes, arrays["codes"], atol=1e-5)


def test_a_configuration_file_names_it_as_well(workspace):
    path = workspace.folder / "moons.yaml"
    data = {"class_path": "two_moons.TwoMoons", "init_args": {"num_points": 60}}
    path.write_text(yaml.safe_dump({"model": {"class_path": "VanillaAE"}, "data": data}))
    outcome = workspace("fit", "-c", path, *QUICK)
    assert outcome.code == 0, outcome.err
    assert "TwoMoons: 8; 60 train" in outcome.err


STREAM = """
import lightning.pytorch as pl
import torch
from torch.utils.data import DataLoader, IterableDataset

class Samples(IterableDataset):
    def __init__(self, seed):
        self.seed = seed

    def __iter__(self):
        return iter(torch.randn(40, 8, generator=torch.Generator().manual_seed(self.seed)))

class Stream(pl.LightningDataModule):
    def train_dataloader(self):
        return DataLoader(Samples(0), batch_size=16)

    def val_dataloader(self):
        return DataLoader(Samples(1), batch_size=16)

    def test_dataloader(self):
        return DataLoader(Samples(2), batch_size=16)
"""


@pytest.mark.parametrize("options", [("--trainer.max_epochs", "2"), ("--trainer.max_steps", "6")])
def test_a_loader_that_does_not_say_its_length_is_trained_on(workspace, monkeypatch, options):
    # With a bar, as on a terminal.
    monkeypatch.setenv("FORCE_COLOR", "1")
    (workspace.folder / "streams.py").write_text(STREAM)
    step_scheduler = ("--model.scheduler", "StepLR", "--model.scheduler.step_size", "1")
    arguments = ("--model", "VAE", "--data", "streams.Stream", *QUICK, *step_scheduler, "--trainer.max_epochs", "-1")
    outcome = workspace("fit", *arguments, "--model.scheduler_interval", "step", *options)
    assert outcome.code == 0, outcome.err
    run = workspace.run()
    # Three batches an epoch, of 16, 16 and 8.
    assert [point.step for point in workspace.history(run.info.run_id, "val/loss")] == [2, 5]
    assert "test/loss" in run.data.metrics


@pytest.mark.parametrize(
    "options",
    [
        ("--model", "StackedAE", "--model.network", "MLP", "--model.network.hidden", "[6]"),
        ("--model", "VAE", "--model.beta", "{start: 0, end: 1, warmup_epochs: 1}"),
    ],
    ids=["phases", "warm-up"],
)
def test_where_its_length_is_needed_the_setting_that_gives_it_is_named(workspace, options):
    (workspace.folder / "streams.py").write_text(STREAM)
    arguments = ("--data", "streams.Stream", *QUICK, *options)
    outcome = workspace("fit", *arguments)
    assert outcome.code == 2, outcome.err
    assert "error: trainer.limit_train_batches: the train loader does not say how many batches" in outcome.err
    assert "Traceback" not in outcome.err
    outcome = workspace("fit", *arguments, "--trainer.limit_train_batches", "3")
    assert outcome.code == 0, outcome.err


OWN = """
from ae_lightning.data import DataModule

class Halves(DataModule):
    def __init__(self, every: int = 2, seed: int = 0):
        super().__init__(name="digits", batch_size=64, scaling="standard", seed=seed)
        self.save_hyperparameters(logger=False)
        self.every = every
"""


def test_a_subclass_of_ours_is_trained_and_restored_with_its_scaling(workspace):
    (workspace.folder / "halves_of_ours.py").write_text(OWN)
    outcome = workspace("fit", "--model", "VanillaAE", "--data", "halves_of_ours.Halves", "--data.every", "3", *QUICK)
    assert outcome.code == 0, outcome.err
    assert "no data module of this package" not in outcome.err
    loss = workspace.run().data.metrics["test/loss"]
    contents = read_checkpoint(workspace.checkpoint())
    assert contents.data["class_path"] == "halves_of_ours.Halves"
    restored = data_of_checkpoint(contents)
    assert restored.every == 3
    assert contents.scaling["scaling"] == "standard"
    tested = workspace("test", "--ckpt_path", workspace.checkpoint(), *QUICK[-6:])
    assert tested.code == 0, tested.err
    assert workspace.run().data.metrics["test/loss"] == pytest.approx(loss)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("--data", "two_moons.Nothing"),
            "data: 'two_moons.Nothing' is not there: the module two_moons has no Nothing",
        ),
        (("--data", "nowhere.Data"), "data: 'nowhere.Data' cannot be imported"),
        (("--data", "two_moons.TensorDataset"), "is no subclass of lightning.pytorch"),
        ((*MOONS, "--data.num_dots", "3"), "num_dots"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_line(workspace, arguments, said):
    outcome = workspace("fit", "--model", "VAE", *arguments, *QUICK)
    assert outcome.code in (1, 2)
    assert said in outcome.err
    assert "Traceback" not in outcome.err
