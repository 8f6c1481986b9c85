"""Lightning's own callbacks from the command line: averaged weights, other progress bars, finders, a bare loop."""

from __future__ import annotations

import pytest
import torch

from ae_lightning.checkpoints.loading import load_state
from ae_lightning.variants.vae import VAE
from quick_options import JUDGED_QUICKLY
from small_trainings import SMALL

pytestmark = pytest.mark.slow

# Written into the working directory: keeps the weights that each epoch begins with, and copies the model as others do.
KEEPING = """
import copy
import pickle
import torch
from lightning.pytorch.callbacks import Callback

class Keeping(Callback):
    def on_train_epoch_start(self, trainer, pl_module):
        torch.save(copy.deepcopy(pl_module.state_dict()), f"epoch{trainer.current_epoch}.pt")
        pickle.loads(pickle.dumps(pl_module.build_optimizer))(pl_module.parameters())
"""


@pytest.fixture
def keeping(workspace):
    (workspace.folder / "keeping.py").write_text(KEEPING)
    return workspace


def state_of(workspace, name="best.ckpt"):
    return load_state(str(workspace.folder / "checkpoints" / workspace.run().info.run_id / name))


def test_an_average_kept_all_along_is_what_is_judged_and_kept(workspace):
    """The best checkpoint holds the average, the trained weights beside it; the run's measures are the average's."""
    outcome = workspace.fit("--trainer.callbacks+=EMAWeightAveraging", "--trainer.max_epochs", "2")
    assert outcome.code == 0, outcome.err
    state = state_of(workspace)
    trained = state["current_model_state"]
    assert all(torch.isfinite(value).all() for value in state["state_dict"].values())
    assert any(not torch.equal(value, trained[name]) for name, value in state["state_dict"].items())
    run = workspace.run().info.run_id
    judged = workspace.client.get_run(run).data.metrics["test/loss"]
    again = workspace("test", "--ckpt_path", f"checkpoints/{run}/best.ckpt", *JUDGED_QUICKLY)
    assert again.code == 0, again.err
    assert workspace.client.get_run(run).data.metrics["test/loss"] == pytest.approx(judged, rel=1e-6)
    going_on = workspace("fit", "--resume", run, "--trainer.max_epochs", "3")
    assert going_on.code == 0, going_on.err


def test_an_average_taken_at_the_end_is_what_is_judged_and_kept(keeping):
    """The best checkpoint holds the mean of the weights that the averaged epochs began with."""
    outcome = keeping.fit(
        *("--trainer.callbacks+=StochasticWeightAveraging", "--trainer.callbacks.swa_lrs", "1e-3"),
        *("--trainer.callbacks.swa_epoch_start", "2", "--trainer.callbacks+=keeping.Keeping"),
        *("--trainer.max_epochs", "3"),
    )
    assert outcome.code == 0, outcome.err
    assert "best.ckpt, the average of the last epochs' weights" in outcome.out
    begun = [torch.load(keeping.folder / f"epoch{epoch}.pt", weights_only=True) for epoch in (1, 2)]
    for name, kept in state_of(keeping)["state_dict"].items():
        torch.testing.assert_close(kept, (begun[0][name] + begun[1][name]) / 2)
    going_on = keeping("fit", "--resume", keeping.run().info.run_id, "--trainer.max_epochs", "4")
    assert going_on.code == 0, going_on.err


def test_without_an_average_a_training_goes_on_from_what_it_trained(keeping):
    assert keeping.fit("--trainer.callbacks+=EMAWeightAveraging").code == 0
    trained = state_of(keeping, "last.ckpt")["current_model_state"]
    with pytest.warns(UserWarning, match="^trainer.callbacks: no average is kept any more"):
        outcome = keeping(
            *("fit", "--resume", keeping.run().info.run_id, "--trainer.max_epochs", "2"),
            *("--trainer.callbacks", "[{class_path: keeping.Keeping}]"),
        )
    assert outcome.code == 0, outcome.err
    begun = torch.load(keeping.folder / "epoch1.pt", weights_only=True)
    assert all(torch.equal(value, trained[name]) for name, value in begun.items())


@pytest.mark.parametrize("bar", ["RichProgressBar", "TQDMProgressBar"])
def test_the_bar_that_a_user_chooses_takes_the_place_of_ours(workspace, bar):
    """There can be one; it is the user's."""
    outcome = workspace.fit(f"--trainer.callbacks+={bar}", "--trainer.enable_progress_bar", "true")
    assert outcome.code == 0, outcome.err
    assert "images/s" not in outcome.err


def test_a_bare_loop_only_trains(workspace):
    """Nothing is tracked, kept or judged, neither in the training nor after it."""
    judged = ("--evaluation.every_n_epochs", "1", "--evaluation.pca", "true")
    outcome = workspace.fit("--trainer.barebones", "true", *judged)
    assert outcome.code == 0, outcome.err
    assert workspace.runs() == []
    assert outcome.out == ""
    assert not list(workspace.folder.rglob("*.ckpt"))
    assert not (workspace.folder / "cache").exists()
    assert "leaves out" not in outcome.err


def test_what_a_bare_loop_leaves_out_is_said(workspace):
    csv = ("--trainer.logger", "CSVLogger", "--trainer.logger.save_dir", "csv")
    outcome = workspace.fit("--trainer.barebones", "true", *csv, "--trainer.enable_checkpointing", "true")
    assert outcome.code == 0, outcome.err
    assert "trainer.barebones leaves out trainer.logger, trainer.enable_checkpointing\n" in outcome.err
    assert not (workspace.folder / "csv").exists()


@pytest.mark.parametrize("logger", [(), ("--trainer.logger", "CSVLogger", "--trainer.logger.save_dir", "csv")])
def test_a_trial_of_a_few_batches_leaves_nothing(workspace, logger):
    """Neither a run nor a folder of one, as with Lightning alone."""
    outcome = workspace.fit("--trainer.fast_dev_run", "2", *logger)
    assert outcome.code == 0, outcome.err
    assert "mse" in outcome.out
    assert "trainer.fast_dev_run tries everything and keeps nothing: no run, no checkpoint\n" in outcome.err
    assert workspace.runs() == []
    assert {path.name for path in workspace.folder.iterdir()} <= {"cache", "mlflow.db"}


def test_the_learning_rate_that_is_found_trains_and_is_kept(workspace):
    """As the optimizer's, and as the model's hyperparameter."""
    outcome = workspace.fit(
        *("--trainer.callbacks+=LearningRateFinder", "--trainer.callbacks.num_training_steps", "30"),
        *("--data.batch_size", "16", "--model.optimizer", "Adam", "--model.optimizer.lr", "1e-6"),
    )
    assert outcome.code == 0, outcome.err
    state = state_of(workspace)
    found = state["optimizer_states"][0]["param_groups"][0]["lr"]
    assert found != 1e-6
    assert state["hyper_parameters"]["optimizer"]["init_args"]["lr"] == found


def test_a_rate_that_is_set_is_in_the_hyperparameters_too():
    """In Python, where nothing else looks after them."""
    model = VAE(**SMALL)
    model.lr = 0.5
    assert model.hparams["optimizer"]["init_args"]["lr"] == model.lr == 0.5


def test_a_word_of_an_enumeration_as_default_is_written_as_the_word(workspace):
    """`Timer`'s `interval` is one."""
    outcome = workspace.fit("--trainer.callbacks+=Timer", "--trainer.callbacks.duration", "00:01:00:00")
    assert outcome.code == 0, outcome.err
    assert "interval: step" in workspace.artifact(workspace.run().info.run_id, "config.yaml").read_text()
