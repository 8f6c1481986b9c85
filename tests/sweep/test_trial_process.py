"""Trials on more than one device, each in a process of its own."""

from __future__ import annotations

import math
import sys
from dataclasses import replace

import pytest
from lightning.pytorch.utilities.exceptions import SIGTERMException
from optuna import TrialPruned
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState

from ae_lightning.errors import ConfigError, TrackingError
from ae_lightning.sweep import trial as trial_module
from ae_lightning.sweep.checking import Surroundings
from ae_lightning.sweep.command import TASK_VARIABLE
from ae_lightning.sweep.failures import failure_of
from ae_lightning.sweep.open_study import open_study
from ae_lightning.sweep.processes import TASK, environment_of
from ae_lightning.sweep.stopping import Stop
from ae_lightning.sweep.study_file import read_study
from ae_lightning.sweep.trial import TrialRunner
from ae_lightning.sweep.trial_queue import KIND, REASON, claim
from ae_lightning.tracking.studies import StudyRun, open_study_run

pytestmark = [pytest.mark.filterwarnings("ignore:.*is experimental"), pytest.mark.slow]

PARENT = "mlflow.parentRunId"

DEAF = """#!/bin/sh
trap '' TERM
while :; do sleep 0.1; done
"""

TELLING = """#!{python}
import json, os, optuna
task = json.loads(os.environ["AE_LIGHTNING_SWEEP_TASK"])
trial = optuna.Trial(optuna.load_study(study_name="small", storage=task["file"]["storage"]), task["trial_id"])
trial.set_user_attr("reason", "so")
trial.study.tell(trial, state=optuna.trial.TrialState.FAIL)
"""


@pytest.fixture
def runner(workspace, write_study):
    """Runs trials on two devices."""
    file = read_study(write_study(workspace.folder))
    surroundings = Surroundings(workspace.uri, "digits", 0, 2, str(workspace.folder / "spool"))
    run = open_study_run(workspace.uri, "digits", "small", None, surroundings.spool)
    return TrialRunner(open_study(file, surroundings), file, surroundings, run, Stop())


@pytest.fixture
def run_on_two_devices(runner, tmp_path, monkeypatch):
    """Run a trial with another program in place of Python, and return the trial as it is then."""

    def run(program, stop):
        path = tmp_path / "program"
        path.write_text(program)
        path.chmod(0o755)
        trial = claim(runner.study, runner.file)
        monkeypatch.setattr(sys, "executable", str(path))
        ended = replace(runner, stop=stop)(trial)
        left = runner.study.trials[trial.number]
        assert ended is None or ended.state == left.state
        return left

    return run


def test_a_night_that_ends_while_the_processes_start_interrupts_the_trial(run_on_two_devices):
    assert run_on_two_devices("#!/bin/sh\nsleep 100", Stop(timeout=0)).state == TrialState.WAITING


def test_processes_that_do_not_end_are_killed_and_the_trial_is_interrupted(run_on_two_devices, monkeypatch):
    monkeypatch.setattr(trial_module, "SECONDS_FOR_A_TRIAL", 1.0)
    assert run_on_two_devices(DEAF, Stop(timeout=1)).state == TrialState.WAITING


def test_processes_that_die_have_failed(run_on_two_devices):
    left = run_on_two_devices("#!/bin/sh\nkill -9 $$", Stop())
    assert (left.state, left.user_attrs[REASON]) == (TrialState.FAIL, "its processes ended with code -9")


def test_a_process_that_finds_the_study_wrong_ends_the_night_and_no_trial(run_on_two_devices):
    with pytest.raises(ConfigError, match="its process could not go on"):
        run_on_two_devices("#!/bin/sh\nexit 2", Stop())


def test_a_process_is_told_the_whole_study(runner, write_study, tmp_path):
    settings = {"trainer.gradient_clip_val": math.inf, "data.path": "ä b"}
    file = read_study(
        write_study(tmp_path, settings=settings, configs=["vanilla"], pruner="MedianPruner", timeout="1h")
    )
    task = replace(runner, file=file).task(3)
    assert TASK.validate_json(environment_of(task, 0, 1)[TASK_VARIABLE]) == task


def test_what_a_process_has_told_stands(run_on_two_devices):
    left = run_on_two_devices(TELLING.format(python=sys.executable), Stop())
    assert (left.state, left.user_attrs[REASON]) == (TrialState.FAIL, "so")


AWAY = StudyRun("http://127.0.0.1:9", "0" * 32, "1", "spool")


@pytest.mark.filterwarnings("ignore:MLflow at")
@pytest.mark.parametrize(
    ("error", "changes", "state"),
    [
        (ConfigError("model.latent_dim: 0"), {}, TrialState.FAIL),
        (KeyError("who"), {}, TrialState.FAIL),
        (TrackingError("refused"), {}, TrialState.FAIL),
        (TrackingError("no connection"), {"run": AWAY}, TrialState.WAITING),
        (TrialPruned("hopeless"), {}, TrialState.PRUNED),
        (SIGTERMException(), {}, TrialState.WAITING),
        (UpdateFinishedTrialError(), {}, TrialState.RUNNING),
    ],
)
def test_why_a_training_ended_is_told_in_its_process(runner, monkeypatch, error, changes, state):
    """A failure keeps its kind, so that different ones are not taken for alike; an outage of MLflow is no failure."""

    def train(*arguments):
        raise error

    monkeypatch.setattr(trial_module, "train", train)
    ended = replace(runner, **changes)(claim(runner.study, runner.file), is_apart=True)
    [left] = runner.study.trials
    assert left.state == state
    assert (ended is None) == (not state.is_finished())
    if state == TrialState.FAIL:
        assert failure_of(error) == (left.user_attrs[KIND], left.user_attrs[REASON])


def test_no_rank_samples_a_trial_of_its_own(sweep, study_of, workspace, quick):
    """Two trials on two ranks each are two trials in Optuna and two runs in MLflow, the second one pruned."""
    settings = {**quick, "trainer.accelerator": "cpu", "trainer.devices": 2, "trainer.strategy": "ddp"}
    space = {"model.optimizer.lr": {"type": "categorical", "choices": [1e-3, 1e-9]}}
    outcome = sweep(
        settings={**settings, "trainer.max_epochs": 2},
        space=space,
        first=[{"model.optimizer.lr": 1e-3}, {"model.optimizer.lr": 1e-9}],
        objectives={"val/loss": "minimize"},
        pruner={"class_path": "MedianPruner", "init_args": {"n_startup_trials": 1}},
        trials=2,
    )
    assert outcome.code == 0, outcome.err
    trials = study_of().trials
    assert [trial.state for trial in trials] == [TrialState.COMPLETE, TrialState.PRUNED]
    runs = [run for run in workspace.runs() if PARENT in run.data.tags]
    assert sorted(run.info.run_id for run in runs) == sorted(trial.user_attrs["mlflow_run_id"][0] for trial in trials)
    assert {run.info.status for run in runs} == {"FINISHED", "KILLED"}
    assert trials[0].value == pytest.approx(runs[1].data.metrics["val/loss"])
