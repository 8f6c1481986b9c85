"""MLflow's store fails in the middle of a sweep and is mended later: no trial fails, and nothing is lost."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from ae_lightning.tracking.leftover_spools import find_spools

# Written into the working directory: the store fails in the middle of the first trial.
BREAKING = """
import builtins
from lightning.pytorch.callbacks import Callback

class Breaking(Callback):
    def on_train_epoch_end(self, trainer, pl_module):
        builtins.break_store()
"""


def rename(database: Path, before: str, after: str) -> None:
    with closing(sqlite3.connect(database, timeout=30)) as connection:
        connection.execute(f"ALTER TABLE {before} RENAME TO {after}")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:MLflow", "ignore:the best model")
def test_a_night_whose_store_does_not_come_back_ends_with_its_result(sweep, workspace, quick, study_of, monkeypatch):
    """The last trial has no other to wait for; what the store would get waits on disk."""
    (workspace.folder / "breaking_store.py").write_text(BREAKING)

    def break_store():
        for table in ("runs", "experiments"):
            rename(workspace.folder / "mlflow.db", table, f"{table}_elsewhere")

    monkeypatch.setattr("builtins.break_store", break_store, raising=False)
    settings = {**quick, "trainer.callbacks": [{"class_path": "breaking_store.Breaking"}]}
    outcome = sweep("--timeout", "100s", settings=settings, trials=1)
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("study small: 1 complete; best val/mse")
    assert study_of().trials[0].state.name == "COMPLETE"
    assert find_spools(workspace.folder / "mlruns" / "spool")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:MLflow at")
def test_a_sweep_goes_on_when_the_store_is_back(sweep, workspace, quick, study_of, monkeypatch):
    database = workspace.folder / "mlflow.db"
    (workspace.folder / "breaking_store.py").write_text(BREAKING)
    mended = threading.Event()
    times = []

    def mend():
        rename(database, "runs_elsewhere", "runs")
        mended.set()

    def break_store():
        times.append(mended.is_set())
        if len(times) == 1:
            rename(database, "runs", "runs_elsewhere")
            threading.Timer(6, mend).start()

    monkeypatch.setattr("builtins.break_store", break_store, raising=False)
    outcome = sweep(settings={**quick, "trainer.callbacks": [{"class_path": "breaking_store.Breaking"}]})
    assert outcome.code == 0, outcome.err
    assert times == [False, True, True], "the second trial waits for the store"
    assert [trial.state.name for trial in study_of().trials] == ["COMPLETE"] * 3
    runs = {run.data.tags.get("optuna.trial", "study"): run for run in workspace.runs()}
    assert runs.keys() == {"0", "1", "2", "study"}
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    for number in "012":
        assert runs[number].data.tags["optuna.state"] == "complete"
        assert "val/mse" in runs[number].data.metrics
    first = {metric.step: metric.value for metric in workspace.history(runs["study"].info.run_id, "best/val/mse")}
    assert 0 in first
    assert find_spools(workspace.folder / "mlruns" / "spool") == []
