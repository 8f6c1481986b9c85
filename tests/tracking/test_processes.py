"""What only processes of their own can show: signals, errors and ranks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from quick_options import JUDGED_QUICKLY

pytestmark = pytest.mark.slow

FIT = (
    *(sys.executable, "-m", "ae_lightning", "fit", "--model", "VAE", "--model.network", "Linear"),
    *("--model.latent_dim", "2", "--evaluation.every_n_epochs", "0", *JUDGED_QUICKLY),
    *("--trainer.enable_model_summary", "false"),
)
PATIENCE = 120


class Started:
    """A program in a working directory of its own."""

    def __init__(self, workspace, environment, *options):
        self.workspace = workspace
        with (workspace.folder / "out").open("w") as out, (workspace.folder / "err").open("w") as err:
            self.process = subprocess.Popen(
                [*FIT, *options],
                cwd=workspace.folder,
                env=environment,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    @property
    def err(self):
        return (self.workspace.folder / "err").read_text()

    def wait_for_epochs(self, count):
        deadline = time.monotonic() + PATIENCE
        while self.err.count("epoch ") < count:
            assert self.process.poll() is None, self.err
            assert time.monotonic() < deadline, self.err
            time.sleep(0.05)

    def end(self, number, patience=PATIENCE):
        self.process.send_signal(number)
        return self.process.wait(patience)

    def kill(self):
        """Leave nothing running: a rank outlives the one that started it."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE)


@pytest.fixture(scope="module")
def ended(open_workspace, program_environment):
    """Two trainings that would go on for long, each ended by a signal: started together, since most is imports."""
    with open_workspace() as first, open_workspace() as second:
        started = {
            number: Started(workspace, program_environment, "--trainer.max_epochs", "100000")
            for number, workspace in ((signal.SIGINT, first), (signal.SIGTERM, second))
        }
        codes = {}
        try:
            for number, program in started.items():
                program.wait_for_epochs(3)
                assert program.workspace.run().info.status == "RUNNING"
                codes[number] = program.end(number)
        finally:
            for program in started.values():
                program.kill()
    return {number: (codes[number], program) for number, program in started.items()}


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_with_its_code_and_the_run_as_killed(ended, number, expected):
    code, program = ended[number]
    assert code == expected, program.err
    (run,) = program.workspace.runs()
    assert run.info.status == "KILLED"
    assert "Traceback" not in program.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_was_trained_until_then_is_there(ended, number):
    _, program = ended[number]
    run_id = program.workspace.run().info.run_id
    steps = [metric.step for metric in program.workspace.history(run_id, "val/loss")]
    assert len(steps) >= 3
    assert steps == sorted(set(steps))
    assert program.workspace.checkpoint("last.ckpt").is_file()


def test_an_ended_run_is_what_resume_goes_on_with(ended, monkeypatch):
    _, program = ended[signal.SIGTERM]
    workspace = program.workspace
    monkeypatch.chdir(workspace.folder)
    run_id = workspace.run().info.run_id
    epochs = len(workspace.history(run_id, "val/loss"))
    again = workspace("fit", "--resume", run_id, "--trainer.max_epochs", epochs + 1)
    assert again.code == 0, again.err
    assert [run.info.run_id for run in workspace.runs()] == [run_id]
    assert workspace.run().info.status == "FINISHED"


def test_an_error_in_a_process_is_one_line(tmp_path, program_environment):
    done = subprocess.run(
        [sys.executable, "-m", "ae_lightning", "fit", "--model", "VEA"],
        cwd=tmp_path,
        env=program_environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("ae_lightning: error: model: 'VEA' is not known; did you mean 'VAE'?")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_ranks_make_one_whole_run(workspace, program_environment):
    options = ("--trainer.accelerator", "cpu", "--trainer.devices", "2", "--trainer.strategy", "ddp")
    program = Started(workspace, program_environment, *options, "--trainer.max_epochs", "2")
    assert program.process.wait(500) == 0, program.err
    (run,) = workspace.runs()
    assert run.info.status == "FINISHED"
    assert "test/mse" in run.data.metrics
    assert len(workspace.history(run.info.run_id, "val/loss")) == 2
    assert len(list(workspace.folder.glob("checkpoints/*"))) == 1
