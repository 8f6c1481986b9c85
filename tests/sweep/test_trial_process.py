"""Trials on more than one device."""

from __future__ import annotations

import sys

import pytest
from optuna.trial import TrialState

from ae_lightning.errors import ConfigError, TrackingError
from ae_lightning.sweep import trial_process
from ae_lightning.sweep.failures import KnownFailureError, failure_of
from ae_lightning.sweep.stopping import Stop
from ae_lightning.sweep.study_file import read_study
from ae_lightning.sweep.training import Order
from ae_lightning.sweep.trial_result import read_result, result_of, write_result
from ae_lightning.sweep.watching import TrialInterrupted, TrialPruned

PARENT = "mlflow.parentRunId"

DEAF = """#!/bin/sh
trap '' TERM
while :; do sleep 0.1; done
"""


@pytest.fixture
def order(write_study, tmp_path):
    study = read_study(write_study(tmp_path))
    return Order(study=study, values={}, tags={}, trial_id=0, repetition=0, seed=None)


def test_a_night_that_ends_while_the_processes_start_interrupts_the_trial(order):
    with pytest.raises(TrialInterrupted, match="timeout"):
        trial_process.train_in_own_process(order, Stop(timeout=0))


def test_processes_that_do_not_end_are_killed_and_the_trial_is_interrupted(order, tmp_path, monkeypatch):
    program = tmp_path / "deaf"
    program.write_text(DEAF)
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setattr(trial_process, "SECONDS_FOR_A_TRAINING", 1.0)
    with pytest.raises(TrialInterrupted, match="timeout"):
        trial_process.train_in_own_process(order, Stop(timeout=1))


@pytest.mark.parametrize(
    "error",
    [ConfigError("model.latent_dim: 0"), KeyError("who"), TrackingError("MLflow is away"), TrialPruned("hopeless")],
)
def test_why_a_training_ended_is_known_to_the_process_that_ordered_it(tmp_path, error):
    """A failure keeps its kind, so that different ones are not taken for alike; an outage of MLflow is no failure."""

    def training():
        raise error

    path = tmp_path / "order.json"
    write_result(path, result_of(training))
    kind = type(error) if isinstance(error, TrackingError | TrialPruned) else KnownFailureError
    with pytest.raises(kind) as raised:
        read_result(path, 0)
    assert failure_of(raised.value) == failure_of(error)


@pytest.mark.slow
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
