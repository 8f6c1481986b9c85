"""What callbacks change of the configuration is what is recorded: in MLflow, in config.yaml and in checkpoints."""

from __future__ import annotations

import pytest
import yaml

from ae_lightning.checkpoints.loading import read_checkpoint

pytestmark = pytest.mark.slow

# Written into the working directory.
CHANGING = """
import torch
from functools import partial
from lightning.pytorch.callbacks import BatchSizeFinder, Callback

class Small(BatchSizeFinder):
    def __init__(self):
        super().__init__(steps_per_trial=1, init_val=16, max_trials=2)

class Everything(Callback):
    def on_train_start(self, trainer, pl_module):
        pl_module.build_optimizer = partial(torch.optim.SGD, lr=0.125)
        trainer.log_every_n_steps = 1

class Later(Callback):
    def on_train_epoch_end(self, trainer, pl_module):
        trainer.datamodule.batch_size = 96

class Failing(Callback):
    def on_fit_start(self, trainer, pl_module):
        raise RuntimeError("on purpose")
"""


@pytest.fixture
def changing(workspace):
    (workspace.folder / "changing.py").write_text(CHANGING)
    return workspace


def config_of(workspace):
    return yaml.safe_load(workspace.artifact(workspace.run().info.run_id, "config.yaml").read_text())


def test_a_batch_size_that_is_found_is_what_is_recorded(changing):
    outcome = changing.fit("--trainer.callbacks", "changing.Small")
    assert outcome.code == 0, outcome.err
    run = changing.run()
    # Doubled once: each batch of the training had as many.
    assert run.data.params["data.batch_size"] == "32"
    assert changing.history(run.info.run_id, "val/loss")[0].step == -(-1295 // 32) - 1
    assert config_of(changing)["data"]["batch_size"] == 32
    contents = read_checkpoint(changing.checkpoint())
    assert contents.data["batch_size"] == contents.config["data"]["batch_size"] == 32


def test_who_looks_for_the_run_gives_what_was_given(changing):
    """The hash is of the configuration as it was given: `--resume` with it finds the run."""
    options = ("--trainer.callbacks", "changing.Small")
    assert changing.fit(*options).code == 0
    changing.client.set_terminated(changing.run().info.run_id, "KILLED")
    outcome = changing.fit(*options, "--resume")
    assert outcome.code == 0, outcome.err
    assert len(changing.runs()) == 1
    assert changing.run().info.status == "FINISHED"


def test_anything_that_is_changed_before_the_first_step_is_recorded(changing):
    outcome = changing.fit("--trainer.callbacks", "changing.Everything")
    assert outcome.code == 0, outcome.err
    params = changing.run().data.params
    assert params["trainer.log_every_n_steps"] == "1"
    assert params["model.optimizer"] == "SGD"
    assert params["model.optimizer.lr"] == "0.125"
    assert config_of(changing)["model"]["init_args"]["optimizer"]["init_args"] == {"lr": 0.125}


def test_what_is_changed_later_is_a_tag_beside_the_first(changing):
    outcome = changing.fit("--trainer.callbacks", "changing.Later", "--trainer.max_epochs", "2")
    assert outcome.code == 0, outcome.err
    run = changing.run()
    assert run.data.params["data.batch_size"] == "128"
    assert run.data.tags["resumed.data.batch_size"] == "96"


SWA = "{class_path: StochasticWeightAveraging, init_args: {swa_lrs: 0.001, swa_epoch_start: 1}}"
SCHEDULED = "{class_path: GradientAccumulationScheduler, init_args: {scheduling: {0: 1, 1: 2}}}"
WITH_BATCH_NORM = ("--model.network", "Conv", "--model.network.filters", "[4]", "--model.network.batch_norm", "true")


@pytest.mark.parametrize("callback", [SWA, SCHEDULED])
def test_what_a_callback_changes_in_every_training_is_recorded_as_it_was_given(workspace, callback):
    """An epoch more for batch norm, another factor of accumulation: with them a run could not be gone on with."""
    options = ("--trainer.callbacks", f"[{callback}]", *WITH_BATCH_NORM)
    outcome = workspace.fit(*options, "--trainer.max_epochs", "2")
    assert outcome.code == 0, outcome.err
    run = workspace.run().info.run_id
    kept = read_checkpoint(workspace.checkpoint("last.ckpt")).config
    for trainer in (config_of(workspace)["trainer"], kept["trainer"]):
        assert (trainer["max_epochs"], trainer["accumulate_grad_batches"]) == (2, 1)
    tags = workspace.run().data.tags
    assert not [name for name in tags if name.startswith("resumed.")]
    outcome = workspace("fit", "--resume", run, "--trainer.max_epochs", "3")
    assert outcome.code == 0, outcome.err
    assert config_of(workspace)["trainer"]["max_epochs"] == 3


def test_a_run_that_fails_before_its_first_step_says_how_it_came_about(changing):
    with pytest.raises(RuntimeError, match="on purpose"):
        changing.fit("--trainer.callbacks", "changing.Failing")
    assert changing.run().info.status == "FAILED"
    assert changing.run().data.params["data.batch_size"] == "128"
