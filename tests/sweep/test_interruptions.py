"""Nights that end early, are killed or overlap."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import optuna
import pytest
from filelock import FileLock
from optuna.trial import TrialState

from ae_lightning.sweep import stopping
from ae_lightning.sweep.stopping import Stop

PRUNER = {"class_path": "MedianPruner", "init_args": {"n_startup_trials": 2, "n_warmup_steps": 2}}


def has_reported(folder, number):
    """Whether a trial has reported a value, seen without Optuna, which would create what is not there yet."""
    try:
        with closing(sqlite3.connect(f"file:{folder / 'optuna.db'}?mode=ro", uri=True)) as database:
            query = "SELECT 1 FROM trials JOIN trial_intermediate_values USING (trial_id) WHERE number = ?"
            return database.execute(query, (number,)).fetchone() is not None
    except sqlite3.OperationalError:
        return False


# Written into the working directory: the process is sent signals, each in the second epoch of some of its fits.
SIGNALLING = """
import os
from itertools import count
from lightning.pytorch.callbacks import Callback

NUMBERS = count()

class Signalling(Callback):
    def on_fit_start(self, trainer, pl_module):
        self.signal = {signals}.get(next(NUMBERS))

    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch == 1 and self.signal:
            os.kill(os.getpid(), self.signal)
"""


# Written into the working directory: the night ends while the first epoch is judged.
ENDING = """
import os
import signal
from lightning.pytorch.callbacks import Callback

class Ending(Callback):
    def {moment}(self, trainer, pl_module):
        # A sweep looks at its measures before the first trial.
        if trainer.state.fn == "fit":
            os.kill(os.getpid(), signal.SIGTERM)
"""


def content(study):
    return [
        (trial.number, trial.state, trial.params, trial.values, trial.intermediate_values) for trial in study.trials
    ]


@pytest.mark.slow
def test_a_study_interrupted_three_times_is_the_one_that_ran_through(open_workspace, write_study, load_study, quick):
    settings = {**quick, "trainer.max_epochs": 8, "trainer.callbacks": [{"class_path": "signalling.Signalling"}]}
    changes = {"settings": settings, "trials": 8, "objectives": {"val/loss": "minimize"}, "pruner": PRUNER}
    with open_workspace() as workspace:
        (workspace.folder / "signalling.py").write_text(SIGNALLING.format(signals={}))
        assert workspace("sweep", "-c", write_study(workspace.folder, **changes)).code == 0
        whole = content(load_study(workspace.folder))
    assert {state for _, state, *_ in whole} == {TrialState.COMPLETE, TrialState.PRUNED}
    with open_workspace() as workspace:
        path = write_study(workspace.folder, **changes)
        # What is interrupted is fitted once more: the second fit is of the trial 1, the fifth of 3, the seventh of 4.
        signals = {1: signal.SIGINT, 4: signal.SIGTERM, 6: signal.SIGINT}
        numbers = {fit: int(kind) for fit, kind in signals.items()}
        (workspace.folder / "signalling.py").write_text(SIGNALLING.format(signals=numbers))
        for trial, kind in zip((1, 3, 4), signals.values(), strict=True):
            outcome = workspace("sweep", "-c", path)
            assert outcome.code == 128 + kind, outcome.err
            states = [found.state for found in load_study(workspace.folder).trials]
            assert states[trial:] == [TrialState.WAITING]
            assert TrialState.RUNNING not in states
        assert workspace("sweep", "-c", path).code in (0, 3)
        assert content(load_study(workspace.folder)) == whole
        states = [run.data.tags.get("optuna.state") for run in workspace.runs()]
        assert states.count("interrupted") == 3
        assert "RUNNING" not in {run.info.status for run in workspace.runs()}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_night_ends_by_each_signal_with_its_code(number):
    before = signal.getsignal(number)
    stop = Stop()
    with stop.on_signals():
        signal.raise_signal(number)
    assert signal.getsignal(number) == before
    assert stop.reason is not None
    assert stop.exit_code == 128 + number


def test_under_nohup_a_closed_terminal_ends_no_night():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        stop = Stop()
        with stop.on_signals():
            signal.raise_signal(signal.SIGHUP)
        assert stop.reason is None
    finally:
        signal.signal(signal.SIGHUP, before)


# Written into the working directory: an hour passes in the fourth batch, and there is no fifth.
HURRYING = """
import time
from lightning.pytorch.callbacks import Callback
from ae_lightning.sweep import stopping

class Clock:
    @staticmethod
    def monotonic():
        return time.monotonic() + 3600

class Hurrying(Callback):
    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        assert trainer.global_step <= 3
        if trainer.global_step == 3:
            stopping.time = Clock
"""


@pytest.mark.slow
def test_a_timeout_ends_a_trial_within_an_epoch(sweep, study_of, workspace, quick, monkeypatch):
    monkeypatch.setattr(stopping, "time", time)  # so that the clock is put right again
    (workspace.folder / "hurrying.py").write_text(HURRYING)
    endless = {"trainer.max_epochs": 100_000, "trainer.check_val_every_n_epoch": 50_000}
    settings = {**quick, **endless, "trainer.callbacks": [{"class_path": "hurrying.Hurrying"}]}
    outcome = sweep("--timeout", "1h", settings=settings, trials=None)
    assert outcome.code == 3, outcome.err
    assert [trial.state for trial in study_of().trials] == [TrialState.WAITING]
    assert {run.info.status for run in workspace.runs()} == {"KILLED", "FINISHED"}


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["on_train_start", "on_validation_end", "on_train_epoch_end"])
def test_sigterm_beside_the_batches_is_no_success(sweep, study_of, workspace, quick, moment):
    (workspace.folder / "ending.py").write_text(ENDING.format(moment=moment))
    outcome = sweep(settings={**quick, "trainer.callbacks": [{"class_path": "ending.Ending"}]})
    assert outcome.code == 143, outcome.err
    assert outcome.out.startswith("study small: 1 waiting; ")
    assert [trial.state for trial in study_of().trials] == [TrialState.WAITING]
    assert {run.info.status for run in workspace.runs()} == {"KILLED"}


@pytest.mark.slow
def test_what_a_killed_process_left_running_is_run_again(sweep, study_of, workspace):
    storage = f"sqlite:///{workspace.folder / 'optuna.db'}"
    lost = optuna.create_study(storage=storage, study_name="small").ask()
    lost.suggest_int("model.latent_dim", 2, 16)
    assert sweep(trials=2).code == 0
    trials = study_of().trials
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 2
    assert trials[0].params["model.latent_dim"] == lost.params["model.latent_dim"]


@pytest.mark.slow
def test_the_run_of_a_killed_process_is_closed(workspace, write_study, quick, program_environment):
    changes = {"objectives": {"val/loss": "minimize"}, "pruner": PRUNER, "trials": 1}
    path = write_study(workspace.folder, settings={**quick, "trainer.max_epochs": 100_000}, **changes)
    command = [sys.executable, "-m", "ae_lightning", "sweep", "-c", str(path)]
    process = subprocess.Popen(command, cwd=workspace.folder, stderr=subprocess.DEVNULL, env=program_environment)
    while not has_reported(workspace.folder, 0):
        assert process.poll() is None, "the sweep ended too early"
        time.sleep(0.1)
    process.kill()
    process.wait()
    outcome = workspace("sweep", "-c", write_study(workspace.folder, settings=quick, **changes))
    assert outcome.code == 0, outcome.err
    found = {(run.info.status, run.data.tags.get("optuna.state")) for run in workspace.runs()}
    assert found == {("FINISHED", None), ("KILLED", "interrupted"), ("FINISHED", "complete")}


@pytest.mark.slow
@pytest.mark.parametrize("other", [False, True])
def test_two_nights_do_not_overlap(sweep, workspace, other):
    with FileLock(workspace.folder / f"optuna.db.{'other' if other else 'small'}.lock"):
        outcome = sweep(trials=1)
    if other:
        assert outcome.code == 0, outcome.err
    else:
        assert outcome.code == 2
        assert "is being swept by another process already" in outcome.err
