"""The database that is made where no store is named."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import time

import pytest
import sqlalchemy
from filelock import FileLock
from mlflow.store.tracking.dbmodels.initial_models import Base

from ae_lightning import waiting
from ae_lightning.errors import TrackingError
from ae_lightning.tracking import connect, database
from full_disks import room_for


def names(folder):
    return {path.name for path in folder.iterdir()}


def synchronous(path):
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        found = connection.execute(sqlalchemy.text("PRAGMA synchronous")).scalar()
    engine.dispose()
    return found


def test_a_disk_that_is_full_while_it_is_made_leaves_nothing(tmp_path):
    with room_for(60_000), pytest.raises(TrackingError, match="cannot be used"):
        connect(f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert names(tmp_path) == {"mlflow.db.lock"}


def test_no_other_database_goes_unsynced_meanwhile(tmp_path):
    made, other = tmp_path / "made.db", tmp_path / "other.db"
    with database._unsynced(made):
        found = [synchronous(path) for path in (made, other)]
    assert [*found, synchronous(made)] == [0, 2, 2]


@pytest.mark.slow
def test_a_process_that_is_killed_while_it_makes_it_leaves_nothing_in_the_way(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # As one that was killed as soon as it had opened it.
    (tmp_path / "mlflow.db").touch()
    process_id = os.fork()
    if process_id == 0:
        connect("sqlite:///mlflow.db")
        os._exit(0)
    half = tmp_path / f".mlflow.db.{process_id}.writing"
    while not half.exists() or half.stat().st_size < 100_000:
        assert os.waitpid(process_id, os.WNOHANG) == (0, 0)
        time.sleep(0.01)
    os.kill(process_id, signal.SIGKILL)
    os.waitpid(process_id, 0)
    assert "mlflow.db" not in names(tmp_path)
    client = connect("sqlite:///mlflow.db")
    assert names(tmp_path) == {"mlflow.db", "mlflow.db.lock"}
    (experiment,) = client.search_experiments()
    assert experiment.artifact_location == str(tmp_path / "mlruns" / "0")
    client.create_run("0")


def test_what_another_program_left_unfinished_is_named_with_what_to_do(tmp_path):
    path = tmp_path / "mlflow.db"
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        # Where migrations change a table, they first make another.
        connection.execute(sqlalchemy.text("CREATE TABLE _alembic_tmp_metrics (a INTEGER)"))
    engine.dispose()
    with pytest.raises(TrackingError, match=r"already exists.*\): what was to make it was ended .* remove it, and"):
        connect(f"sqlite:///{path}")
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO runs (run_uuid, experiment_id) VALUES ('a', 1)")
    connection.close()
    with pytest.raises(TrackingError) as refusal:
        connect(f"sqlite:///{path}")
    assert "remove" not in str(refusal.value)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.mkdir(), "is a folder, and no database"),
        (os.mkfifo, "is no file, and no database"),
        (lambda path: path.write_text("runs: none"), "is no SQLite database"),
    ],
    ids=["folder", "pipe", "text"],
)
def test_what_is_no_database_is_refused_at_once(workspace, make, said):
    path = workspace.folder / "mlflow.db"
    path.unlink()
    make(path)
    outcome = workspace.fit()
    assert outcome.code == 2
    assert f"{path} {said}" in outcome.err
    assert "the server" not in outcome.err


def test_who_holds_its_lock_is_said_before_it_is_given_up(workspace, monkeypatch):
    monkeypatch.setattr(waiting, "SECONDS_IN_SILENCE", 0.1)
    monkeypatch.setattr(database, "SECONDS_FOR_ANOTHER", 0.2)
    lock = workspace.folder / "mlflow.db.lock"
    with FileLock(lock):
        lock.write_text("process 17 on elsewhere")
        with pytest.warns(UserWarning, match=f"waiting for process 17 on elsewhere, which has {lock}"):
            outcome = workspace.fit()
    assert outcome.code == 2
    assert f"process 17 on elsewhere has {lock} for too long; end it and try again" in outcome.err


def test_a_sound_one_is_left_as_it_is(tmp_path, empty_store):
    path = tmp_path / "mlflow.db"
    shutil.copy(empty_store, path)
    before = path.stat().st_ino
    connect(f"sqlite:///{path}")
    assert path.stat().st_ino == before
