"""Which checkpoint is the best, and which one is judged."""

from __future__ import annotations

import pytest
import torch

from ae_lightning.checkpoints.loading import load_autoencoder, read_checkpoint
from ae_lightning.data import DataModule

pytestmark = pytest.mark.slow

# Written into the working directory: spoils what was learnt, so that the last epoch is not the best.
SPOILING = """
import torch
from lightning.pytorch.callbacks import Callback

class Spoiling(Callback):
    @torch.no_grad()
    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch == 2:
            for parameter in pl_module.parameters():
                parameter.mul_(4)
"""


@pytest.fixture(scope="module")
def spoilt(open_workspace):
    """A run of three epochs whose third starts from spoilt weights."""
    with open_workspace() as workspace:
        (workspace.folder / "spoiling.py").write_text(SPOILING)
        options = ("--trainer.callbacks", "spoiling.Spoiling", "--trainer.max_epochs", "3")
        outcome = workspace.fit(*options, "--model.optimizer", "Adam", "--model.optimizer.lr", "1e-5")
        assert outcome.code == 0, outcome.err
        yield workspace


@torch.no_grad()
def mse_on_test(path):
    data = DataModule()
    images = data.scale(data.split("test").x)
    model = load_autoencoder(path).eval()
    return float((model.reconstruct(images) - images).square().mean())


def epoch_of(path):
    return torch.load(path, weights_only=True)["epoch"]


def test_the_best_has_the_lowest_validation_loss(spoilt):
    losses = [metric.value for metric in spoilt.history(spoilt.run().info.run_id, "val/loss")]
    assert len(losses) == 3
    assert epoch_of(spoilt.checkpoint("best.ckpt")) == losses.index(min(losses)) != 2
    assert epoch_of(spoilt.checkpoint("last.ckpt")) == 2


def test_the_best_is_judged(spoilt):
    (logged,) = spoilt.history(spoilt.run().info.run_id, "test/mse")
    assert logged.value == pytest.approx(mse_on_test(spoilt.checkpoint("best.ckpt")), rel=1e-4)
    assert logged.value != pytest.approx(mse_on_test(spoilt.checkpoint("last.ckpt")), rel=1e-2)


def test_best_last_and_the_one_before_it_are_in_a_folder_of_the_run(spoilt):
    folder = spoilt.folder / "checkpoints" / spoilt.run().info.run_id
    assert {path.name for path in folder.iterdir()} == {"best.ckpt", "last.ckpt", "previous.ckpt", "training.lock"}
    assert [path.name for path in (spoilt.folder / "checkpoints").iterdir()] == [folder.name]


def test_a_checkpoint_says_what_it_holds(spoilt):
    contents = read_checkpoint(spoilt.checkpoint())
    assert contents.run_id == spoilt.run().info.run_id
    assert contents.model["class_path"] == "ae_lightning.variants.vae.VAE"
    assert contents.model["init_args"]["latent_dim"] == 2
    assert contents.data["name"] == "digits"
    assert contents.config["trainer"]["max_epochs"] == 3


def test_without_validation_the_last_is_judged(workspace):
    outcome = workspace.fit("--data.num_val", "0", "--trainer.max_epochs", "2")
    assert outcome.code == 0, outcome.err
    assert "val" not in outcome.err.splitlines()[0]
    metrics = workspace.run().data.metrics
    assert not [name for name in metrics if name.startswith("val/")]
    assert metrics["test/mse"] == pytest.approx(mse_on_test(workspace.checkpoint("last.ckpt")), rel=1e-4)
    assert epoch_of(workspace.checkpoint("best.ckpt")) == 1


def test_where_no_best_was_due_the_last_is_judged_and_kept_as_the_model(workspace):
    outcome = workspace.fit("--trainer.max_epochs", "2", "--checkpoint.every_n_epochs", "5")
    assert outcome.code == 0, outcome.err
    assert "checkpoint.every_n_epochs left no best; last checkpoint: " in " ".join(outcome.out.split())
    assert not workspace.checkpoint("best.ckpt").exists()
    metrics = workspace.run().data.metrics
    assert metrics["test/mse"] == pytest.approx(mse_on_test(workspace.checkpoint("last.ckpt")), rel=1e-4)
    assert len(workspace.client.search_logged_models([workspace.run().info.experiment_id])) == 1


def test_another_measure_can_decide(workspace):
    outcome = workspace.fit(
        *("--checkpoint.monitor", "val/psnr", "--checkpoint.mode", "max"),
        *("--evaluation.every_n_epochs", "1", "--evaluation.training_measures", "[psnr]"),
    )
    assert outcome.code == 0, outcome.err
    assert workspace.checkpoint("best.ckpt").is_file()
