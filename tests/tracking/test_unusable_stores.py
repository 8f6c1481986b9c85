"""Stores that cannot be used: one line with the reason in full, and with what mends just that."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing

import mlflow
import pytest

from ae_lightning.errors import TrackingError
from ae_lightning.tracking import connect
from ae_lightning.tracking.addresses import DEFAULT_TRACKING_URI
from ae_lightning.tracking.comparison import RunReader
from ae_lightning.tracking.mlflow_writes import Target, Write
from ae_lightning.tracking.store import answers_explained

START = "start the server"
OTHERWISE = "set MLFLOW_TRACKING_URI or --trainer.logger.tracking_uri to another store"
OLDER = "cc1f77228345"
"""A version that this MLflow has migrated from."""


def refusal(uri):
    with pytest.raises(TrackingError) as raised:
        connect(uri)
    (line,) = str(raised.value).splitlines()
    assert OTHERWISE in line
    return line


def with_version(workspace, version):
    with closing(sqlite3.connect(workspace.folder / "mlflow.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (version,))
    return workspace.uri


def test_a_database_of_an_older_mlflow_is_to_be_upgraded(workspace):
    line = refusal(with_version(workspace, OLDER))
    assert f"run 'mlflow db upgrade {workspace.uri}'" in line
    assert "for more detail" in line, "the remedy to its end"
    assert START not in line


def test_a_database_of_a_newer_mlflow_is_to_be_left_as_it_is(workspace):
    line = refusal(with_version(workspace, "f" * 12))
    assert f"a newer MLflow than {mlflow.__version__} made it" in line
    assert "update MLflow" in line
    assert "upgrade" not in line
    assert START not in line


def test_a_database_of_a_newer_mlflow_that_lacks_a_table_of_this_one(workspace):
    uri = with_version(workspace, "f" * 12)
    with closing(sqlite3.connect(workspace.folder / "mlflow.db")) as connection:
        connection.execute("DROP TABLE inputs")
    line = refusal(uri)
    assert f"a newer MLflow than {mlflow.__version__} made it" in line


@pytest.mark.skipif(
    not hasattr(mlflow.environment_variables, "MLFLOW_ALLOW_FILE_STORE"), reason="this MLflow still takes folders"
)
def test_a_folder_as_a_store_says_how_it_is_migrated(bare_workspace):
    line = refusal("file:./mlruns")
    assert "mlflow migrate-filestore" in line
    assert "MLFLOW_ALLOW_FILE_STORE=true" in line
    assert START not in line


def test_a_server_that_is_away_is_to_be_started():
    line = refusal("http://127.0.0.1:9")
    assert "(no connection)" in line
    assert START in line


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("http://[::1", "Invalid IPv6 URL"),
        ("postgresql+nothing://host/db", "nothing"),
        ("sqlite:///absent/mlflow.db", "absent is not a directory"),
        ("carrier-pigeon://host", "carrier-pigeon"),
    ],
)
def test_an_address_of_no_store(bare_workspace, uri, reason):
    line = refusal(uri)
    assert reason in line
    assert START not in line


def test_a_file_that_is_no_database(bare_workspace):
    (bare_workspace.folder / "mlflow.db").write_text("no database at all, and long enough to be looked at")
    assert "mlflow.db is no SQLite database; move it away" in refusal(bare_workspace.uri)


def test_a_bucket_whose_library_is_missing_says_so_in_a_line(workspace, monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    experiment = workspace.client.create_experiment("away", artifact_location="s3://bucket/runs")
    outcome = workspace.fit("--trainer.logger.experiment_name", "away")
    assert outcome.code == 2, outcome.err
    (line,) = (line for line in outcome.err.splitlines() if line.startswith("ae_lightning: error: "))
    assert line.startswith(f"ae_lightning: error: MLflow at '{DEFAULT_TRACKING_URI}': ")
    assert "boto3" in line
    assert workspace.run().info.experiment_id == experiment
    assert workspace.run().info.status == "FAILED"
    with pytest.raises(TrackingError, match="boto3"):
        RunReader(workspace.uri).keep([workspace.folder / "mlflow.db"], experiment, [], "")


def test_a_fault_of_our_own_is_none_of_the_stores(workspace):
    target = Target(workspace.client, "0" * 32, workspace.folder)
    with pytest.raises(ValueError, match="status are not made of"), answers_explained(workspace.uri):
        Write("status", []).deliver(target)
