"""Outages of MLflow's database, and what is logged around them."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager

from ae_lightning.tracking.leftover_spools import find_spools


@contextmanager
def without_runs(database):
    """Let a database fail at once, as one does that is being migrated: MLflow waits 20 seconds for a locked one."""
    with _between(database, "ALTER TABLE runs RENAME TO runs_elsewhere", "ALTER TABLE runs_elsewhere RENAME TO runs"):
        yield


@contextmanager
def locked(database):
    """Keep everybody else from writing a database."""
    with _between(database, "BEGIN EXCLUSIVE", "ROLLBACK"):
        yield


@contextmanager
def _between(database, first, last):
    """Execute one statement before, another after."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute(first)
        yield
        connection.execute(last)


def log_a_bit(tracker, folder, steps):
    """Log a metric a step, and a file that says how far it came."""
    for step in steps:
        tracker.log_metrics({"loss": float(step)}, step)
    (folder / "note.txt").write_text(f"up to {max(steps)}")
    tracker.log_file(folder / "note.txt", "notes")


def require_all(workspace, run_id, num_steps):
    """Require that a finished run has all of that, each once, and that nothing waits any more."""
    assert [metric.step for metric in workspace.history(run_id, "loss")] == list(range(num_steps))
    assert workspace.artifact(run_id, "notes/note.txt").read_text() == f"up to {num_steps - 1}"
    assert workspace.client.get_run(run_id).info.status == "FINISHED"
    assert find_spools(workspace.folder / "mlruns" / "spool") == []
