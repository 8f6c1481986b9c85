"""Trainings that are ended or killed, and gone on with: the same weights, every step once."""

from __future__ import annotations

import signal
import time

import psutil
import pytest
import torch

VAE = ("--model", "VAE")
STEPS_PER_EPOCH = 41

# Written into the working directory: ends the program, or fails, where its best checkpoint is read after the training.
ENDING = """
import os
from ae_lightning import VAE

class Ending(VAE):
    def on_load_checkpoint(self, checkpoint):
        super().on_load_checkpoint(checkpoint)
        if self._trainer is None and "ENDS_BY" in os.environ:
            os.kill(os.getpid(), int(os.environ["ENDS_BY"]))
            raise RuntimeError("broken on purpose")
"""


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_ended_in_the_middle_of_an_epoch_and_gone_on_with(training, in_peace, number, code):
    started = training(*VAE)
    started.start()
    # MLflow has a step up to a second later, which is an epoch here.
    started.wait_for_file("in-step-60")
    asked = time.monotonic()
    assert started.signal(number) == code, started.err
    assert time.monotonic() - asked < 10
    assert started.workspace.run().info.status == "KILLED"
    assert f"fit --resume {started.run_id}" in started.err
    ended_at = torch.load(started.workspace.checkpoint("last.ckpt"), weights_only=True)["global_step"]
    assert started.steps() == list(range(ended_at))
    started.finish("--resume")
    assert ended_at % STEPS_PER_EPOCH != 0
    in_peace(*VAE).require_same(started)
    assert started.workspace.run().info.status == "FINISHED"


@pytest.mark.slow
def test_killed_and_gone_on_with(training, in_peace):
    started = training(*VAE)
    started.start()
    started.wait_for_step(110)
    started.kill()
    assert started.workspace.run().info.status == "RUNNING"
    started.finish("--ckpt_path", "last")
    in_peace(*VAE).require_same(started)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_two_ranks_end_at_the_same_step(training, in_peace, number, code):
    started = training(*VAE, ranks=2)
    started.start()
    started.wait_for_step(30)
    asked = time.monotonic()
    assert started.signal(number) == code, started.err
    assert time.monotonic() - asked < 10
    assert started.workspace.run().info.status == "KILLED"
    started.finish("--resume")
    in_peace(*VAE, ranks=2).require_same(started)


@pytest.mark.slow
@pytest.mark.parametrize("evaluation", ["validation", "test"])
def test_ended_in_an_evaluation_and_gone_on_with(training, in_peace, evaluation):
    started = training(*VAE)
    started.start(environment={"SLOW_EVALUATION": evaluation})
    started.wait_for_file(f"in-{evaluation}")
    assert started.signal(signal.SIGTERM) == 143, started.err
    assert "Traceback" not in started.err
    assert started.workspace.run().info.status == "KILLED"
    started.finish("--resume")
    in_peace(*VAE).require_same(started)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code", "status"),
    [
        (signal.SIGTERM, 143, "KILLED"),
        (signal.SIGINT, 130, "KILLED"),
        (signal.SIGKILL, -signal.SIGKILL, "RUNNING"),
        (0, 2, "FAILED"),
    ],
)
def test_ended_between_training_and_test_and_gone_on_with(training, in_peace, number, code, status):
    options, files = ("--model", "ending.Ending"), {"ending.py": ENDING}
    started = training(*options, files=files)
    started.start(environment={"ENDS_BY": str(int(number))})
    assert started.end() == code, started.err
    assert started.workspace.run().info.status == status
    assert started.steps() == list(range(5 * STEPS_PER_EPOCH))
    started.finish("--resume")
    assert started.workspace.run().info.status == "FINISHED"
    in_peace(*options, files=files).require_same(started)


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["start", "training"])
def test_no_rank_outlives_the_first(training, moment):
    started = training(*VAE, ranks=2)
    started.start()
    ranks = started.wait_for_ranks()
    if moment == "training":
        started.wait_for_step(1)
    started.process.kill()
    gone, left = psutil.wait_procs(ranks, timeout=60 if moment == "start" else 5)
    assert (len(gone), left) == (1, [])


@pytest.mark.slow
def test_a_run_that_still_trains_is_not_gone_on_with_until_it_is_killed(training):
    started = training(*VAE, "--trainer.max_epochs", "1000")
    started.start()
    started.wait_for_file("checkpoints/*/last.ckpt")
    for refused in (("fit", "--resume", started.run_id), started.arguments("--resume")):
        outcome = started.workspace(*refused)
        assert outcome.code == 2
        assert outcome.err.startswith(f"ae_lightning: error: --resume: run {started.run_id} still trains")
        assert len(outcome.err.splitlines()) == 1
    # Nothing of it was touched.
    assert started.workspace.run().info.status == "RUNNING"
    assert not [tag for tag in started.workspace.run().data.tags if tag.startswith("resumed.")]
    started.kill()
    # On a busy machine it may have come further than to the first checkpoint.
    ended_in = torch.load(started.workspace.checkpoint("last.ckpt"), weights_only=True)["epoch"]
    outcome = started.workspace("fit", "--resume", started.run_id, "--trainer.max_epochs", ended_in + 1)
    assert outcome.code == 0, outcome.err
