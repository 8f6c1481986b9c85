"""Trials on more than one device."""

from __future__ import annotations

import pytest
from optuna.trial import TrialState

PARENT = "mlflow.parentRunId"


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
