"""Programs that are killed and started again, and the run that was left in peace beside which they are held."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass

import psutil
import pytest
import torch

from quick_options import JUDGED_QUICKLY

# Written into the working directory: all ranks wait at the moment that the environment names, however fast the machine
# is, until they are let go.
HOLDING = """
import os
import time
from pathlib import Path
from lightning.pytorch.callbacks import Callback

class Holding(Callback):
    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.hold(trainer, f"step {trainer.global_step}")

    def on_validation_batch_start(self, trainer, pl_module, batch, batch_idx, dataloader_idx=0):
        self.hold(trainer, "validation")

    def on_test_batch_start(self, trainer, pl_module, batch, batch_idx, dataloader_idx=0):
        self.hold(trainer, "test")

    def hold(self, trainer, moment):
        if os.environ.get("HOLD_IN") == moment:
            Path(f"held.{trainer.global_rank}").touch()
            while not Path("go").exists():
                time.sleep(0.02)
"""

FIT = (
    *("--model.network", "Linear", "--model.latent_dim", "4", "--data.batch_size", "32"),
    *("--trainer.max_epochs", "5", "--trainer.log_every_n_steps", "1", "--trainer.num_sanity_val_steps", "0"),
    *("--trainer.enable_model_summary", "false", "--evaluation.every_n_epochs", "0"),
    *JUDGED_QUICKLY,
    *("--trainer.logger.system_metrics", "false", "--trainer.callbacks", "holding.Holding"),
)
TWO_RANKS = ("--trainer.accelerator", "cpu", "--trainer.devices", "2", "--trainer.strategy", "ddp")
PATIENCE = 240
"""Two ranks take minutes to start where others use the machine too."""

MACHINE_METRICS = {"train/images_per_second", "epoch"}
"""Lightning writes `epoch` twice at steps that are validated."""


class Training:
    """A `fit` in a working directory, started as often as it takes."""

    def __init__(self, workspace, environment, *options, ranks=1, files=None):
        self.workspace = workspace
        self.environment = environment
        self.options = [*options, *(TWO_RANKS if ranks == 2 else ())]
        self.ranks = ranks
        self.process = None
        for name, text in {"holding.py": HOLDING, **(files or {})}.items():
            (workspace.folder / name).write_text(text)

    def arguments(self, *more):
        return ["fit", *FIT, *self.options, *more]

    def start(self, *more, environment=None):
        with (self.workspace.folder / "err").open("a") as err, (self.workspace.folder / "out").open("a") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ae_lightning", *self.arguments(*more)],
                cwd=self.workspace.folder,
                env={**self.environment, **(environment or {})},
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    def start_until(self, moment, environment=None):
        """Start, and let all ranks wait in a `step NUMBER`, the `validation` or the `test` until there is a signal."""
        self.start(environment={**(environment or {}), "HOLD_IN": moment})
        self._wait(lambda: len(list(self.workspace.folder.glob("held.*"))) == self.ranks)

    @property
    def err(self):
        return (self.workspace.folder / "err").read_text()

    @property
    def run_id(self):
        """The run's, which is the only one unless a training was killed before its first checkpoint."""
        return self.workspace.run().info.run_id

    def steps(self):
        """The steps whose loss MLflow has."""
        return [metric.step for metric in self.workspace.history(self.run_id, "train/loss")]

    @property
    def kept_step(self):
        """The step after which the last checkpoint was written."""
        return self._last_checkpoint()["global_step"]

    def wait_for_steps(self, number):
        """Wait until MLflow has as many steps."""
        self._wait(lambda: self.workspace.runs() and len(self.steps()) == number)

    def wait_for_ranks(self):
        """The processes of the ranks that the first has started."""
        ranks = []
        self._wait(lambda: ranks.extend(self._ranks()) or ranks)
        return ranks

    def _ranks(self):
        # By their environment: a program that the first starts, as git, has the first's own command line for a moment.
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.NoSuchProcess):
                if "LOCAL_RANK" in child.environ():
                    yield child

    def _wait(self, condition):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert self.process.poll() is None, self.err
            assert time.monotonic() < deadline, self.err
            time.sleep(0.02)

    def signal(self, number):
        """Send a signal, let go what waits for one, and wait for the exit code."""
        self.process.send_signal(number)
        (self.workspace.folder / "go").touch()
        return self.end()

    def end(self):
        """Wait for the exit code."""
        return self.process.wait(PATIENCE)

    def finish(self, *more):
        """Train to the end: in this process, where one is enough, since a start takes longer than the training."""
        if self.ranks == 1:
            outcome = self.workspace(*self.arguments(*more))
            assert outcome.code == 0, outcome.err
        else:
            self.start(*more)
            assert self.end() == 0, self.err

    def kill(self):
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE)

    def weights(self):
        return self._last_checkpoint()["state_dict"]

    def _last_checkpoint(self):
        return torch.load(self.workspace.checkpoint("last.ckpt"), weights_only=True)

    def curves(self):
        """All that MLflow has of each metric, by name, but of those that depend on the machine."""
        names = set(self.workspace.run().data.metrics) - MACHINE_METRICS
        return {name: [(one.step, one.value) for one in self.workspace.history(self.run_id, name)] for name in names}


@pytest.fixture
def training(workspace, program_environment):
    """Make a training that is killed in the end, whatever becomes of the test."""
    made = []

    def make(*options, ranks=1, files=None):
        made.append(Training(workspace, program_environment, *options, ranks=ranks, files=files))
        return made[-1]

    yield make
    for one in made:
        if one.process is not None:
            one.kill()


@dataclass(frozen=True)
class Peace:
    """What became of a training that nothing happened to."""

    weights: dict
    curves: dict

    def require_same(self, training):
        """Require the same weights, bit for bit, and the same metrics, each step once."""
        assert training.curves() == self.curves
        for name, curve in self.curves.items():
            steps = [step for step, _ in curve]
            assert steps == sorted(set(steps)), name
        found = training.weights()
        assert found.keys() == self.weights.keys()
        for name, tensor in self.weights.items():
            assert torch.equal(found[name], tensor), name


@pytest.fixture(scope="session")
def in_peace(open_workspace, program_environment):
    """Train in peace; once for the same options."""
    known = {}

    def train(*options, ranks=1):
        if (options, ranks) not in known:
            with open_workspace() as workspace:
                one = Training(workspace, program_environment, *options, ranks=ranks)
                one.finish()
                known[options, ranks] = Peace(one.weights(), one.curves())
        return known[options, ranks]

    return train
