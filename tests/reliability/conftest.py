"""Programs that are killed and started again, and the run that was left in peace beside which they are held."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest
import torch

# Written into the working directory: a step takes long enough to be hit.
SLOW = """
import time
from lightning.pytorch.callbacks import Callback

class Slow(Callback):
    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        time.sleep(0.02)
"""

FIT = (
    *("--model.network", "Linear", "--model.latent_dim", "4", "--data.batch_size", "32"),
    *("--trainer.max_epochs", "5", "--trainer.log_every_n_steps", "1", "--trainer.num_sanity_val_steps", "0"),
    *("--trainer.enable_model_summary", "false", "--evaluation.every_n_epochs", "0"),
    *("--evaluation.measures", "[mse]", "--evaluation.pictures", "[]", "--evaluation.pca", "false"),
    *("--trainer.logger.system_metrics", "false", "--trainer.callbacks", "slow.Slow"),
)
TWO_RANKS = ("--trainer.accelerator", "cpu", "--trainer.devices", "2", "--trainer.strategy", "ddp")
PATIENCE = 120


class Training:
    """A `fit` in a working directory, started as often as it takes."""

    def __init__(self, workspace, environment, *options):
        self.workspace = workspace
        self.environment = environment
        self.options = options
        self.process = None
        (workspace.folder / "slow.py").write_text(SLOW)

    def arguments(self, *more):
        return ["fit", *FIT, *self.options, *more]

    def start(self, *more):
        with (self.workspace.folder / "err").open("a") as err, (self.workspace.folder / "out").open("a") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ae_lightning", *self.arguments(*more)],
                cwd=self.workspace.folder,
                env=self.environment,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    @property
    def err(self):
        return (self.workspace.folder / "err").read_text()

    @property
    def run_id(self):
        (run,) = self.workspace.runs()
        return run.info.run_id

    def steps(self):
        """The steps whose loss MLflow has."""
        return [metric.step for metric in self.workspace.history(self.run_id, "train/loss")]

    def wait_for_step(self, number):
        self._wait(lambda: self.workspace.runs() and len(self.steps()) > number)

    def wait_for_file(self, name):
        self._wait(lambda: list(self.workspace.folder.glob(name)))

    def _wait(self, condition):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert self.process.poll() is None, self.err
            assert time.monotonic() < deadline, self.err
            time.sleep(0.02)

    def signal(self, number):
        self.process.send_signal(number)
        return self.end()

    def end(self):
        """Wait for the exit code."""
        return self.process.wait(PATIENCE)

    def finish(self, *more):
        self.start(*more)
        assert self.end() == 0, self.err

    def kill(self):
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE)

    def weights(self):
        path = self.workspace.checkpoint("last.ckpt")
        return torch.load(path, weights_only=True)["state_dict"]

    def losses(self):
        return {metric.step: metric.value for metric in self.workspace.history(self.run_id, "train/loss")}


@pytest.fixture
def training(workspace, program_environment):
    """Make a training that is killed in the end, whatever becomes of the test."""
    made = []

    def make(*options, ranks=1):
        made.append(Training(workspace, program_environment, *options, *(TWO_RANKS if ranks == 2 else ())))
        return made[-1]

    yield make
    for one in made:
        if one.process is not None:
            one.kill()


@pytest.fixture(scope="module")
def in_peace(open_workspace, program_environment):
    """Weights and losses of a training that nothing happened to, by its options."""
    known = {}

    def train(*options, ranks=1):
        if (options, ranks) not in known:
            with open_workspace() as workspace:
                one = Training(workspace, program_environment, *options, *(TWO_RANKS if ranks == 2 else ()))
                one.finish()
                known[options, ranks] = (one.weights(), one.losses())
        return known[options, ranks]

    return train
