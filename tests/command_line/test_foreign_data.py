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
