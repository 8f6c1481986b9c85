"""Outages of MLflow's database."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager


@contextmanager
def without_runs(database):
    """Let a database fail at once, as one does that is being migrated: MLflow waits 20 seconds for a locked one."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("ALTER TABLE runs RENAME TO runs_elsewhere")
        yield
        connection.execute("ALTER TABLE runs_elsewhere RENAME TO runs")
