"""Trainings that are ended or killed, and gone on with: the same weights, every step once."""

from __future__ import annotations

import signal

import psutil
import pytest

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
    started.start_until("step 60")
    assert started.signal(number) == code, started.err
    assert started.workspace.run().info.status == "KILLED"
    assert f"fit --resume {started.run_id}" in started.err
    # The step that was under way is finished, and none is begun.
    assert started.kept_step == 61
    assert started.steps() == list(range(61))
    started.finish("--resume")
    in_peace(*VAE).require_same(started)
    assert started.workspace.run().info.status == "FINISHED"


@pytest.mark.slow
def test_killed_and_gone_on_with(training, in_peace):
    started = training(*VAE)
    started.start_until("step 110")
    # All of them are in MLflow, though the checkpoint to go on from is an older one.
    started.wait_for_steps(110)
    started.kill()
    assert started.kept_step == 2 * STEPS_PER_EPOCH
    assert started.workspace.run().info.status == "RUNNING"
    started.finish("--ckpt_path", "last")
    in_peace(*VAE).require_same(started)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_two_ranks_end_at_the_same_step(training, in_peace, number, code):
    started = training(*VAE, ranks=2)
    started.start_until("step 30")
    assert started.signal(number) == code, started.err
    # The other rank hears of it beside the next step, after which both end: in the middle of an epoch of 21.
    assert started.kept_step == 32
    assert started.workspace.run().info.status == "KILLED"
    started.finish("--resume")
    in_peace(*VAE, ranks=2).require_same(started)


@pytest.mark.slow
@pytest.mark.parametrize(("evaluation", "kept_step"), [("validation", STEPS_PER_EPOCH), ("test", 5 * STEPS_PER_EPOCH)])
def test_ended_in_an_evaluation_and_gone_on_with(training, in_peace, evaluation, kept_step):
    started = training(*VAE)
    started.start_until(evaluation)
    assert started.signal(signal.SIGTERM) == 143, started.err
    # The first validation is finished, and with it the epoch, whose checkpoint comes after it.
    assert started.kept_step == kept_step
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
    started = training("--model", "ending.Ending", files={"ending.py": ENDING})
    started.start(environment={"ENDS_BY": str(int(number))})
    assert started.end() == code, started.err
    assert started.workspace.run().info.status == status
    assert started.steps() == list(range(5 * STEPS_PER_EPOCH))
    started.finish("--resume")
    assert started.workspace.run().info.status == "FINISHED"
    in_peace(*VAE).require_same(started)


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["start", "training"])
def test_no_rank_outlives_the_first(training, moment):
    started = training(*VAE, ranks=2)
    if moment == "start":
        started.start()
    else:
        started.start_until("step 2")
    ranks = started.wait_for_ranks()
    started.process.kill()
    # In its start a rank looks for the first once it has imported what it needs.
    gone, left = psutil.wait_procs(ranks, timeout=120 if moment == "start" else 5)
    assert (len(gone), left) == (1, [])


@pytest.mark.slow
def test_a_run_that_still_trains_is_not_gone_on_with_until_it_is_killed(training):
    started = training(*VAE)
    started.start_until(f"step {STEPS_PER_EPOCH}")
    for refused in (("fit", "--resume", started.run_id), started.arguments("--resume")):
        outcome = started.workspace(*refused)
        assert outcome.code == 2
        assert outcome.err.startswith(f"ae_lightning: error: --resume: run {started.run_id} still trains")
        assert len(outcome.err.splitlines()) == 1
    # Nothing of it was touched.
    assert started.workspace.run().info.status == "RUNNING"
    assert not [tag for tag in started.workspace.run().data.tags if tag.startswith("resumed.")]
    started.kill()
    assert started.kept_step == STEPS_PER_EPOCH
    outcome = started.workspace("fit", "--resume", started.run_id)
    assert outcome.code == 0, outcome.err
