"""What `sync` and messages say of faults: one line, and no password."""

from __future__ import annotations

import os

import pytest

from ae_lightning.command_line.report import ui_hint
from ae_lightning.errors import TrackingError
from ae_lightning.tracking import connect, shown_uri
from ae_lightning.tracking.mlflow_writes import tags_of
from ae_lightning.tracking.spool import Origin, Spool
from ae_lightning.tracking.store import impatient, sending_files

TIMEOUT = "MLFLOW_HTTP_REQUEST_TIMEOUT"


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://ada:secret@host:5000/mlflow", "http://host:5000/mlflow"),
        ("postgresql://ada:s@cret@host/db", "postgresql://host/db"),
        ("http://host:5000/a@b", "http://host:5000/a@b"),
        ("sqlite:///a@b.db", "sqlite:///a@b.db"),
    ],
)
def test_an_address_is_shown_without_its_password(uri, shown):
    assert shown_uri(uri) == shown
    assert "secret" not in ui_hint(uri, "1", "2")


def test_a_store_that_does_not_answer_is_named_without_its_password():
    with pytest.raises(TrackingError) as raised:
        connect("http://ada:secret@127.0.0.1:9")
    assert "secret" not in str(raised.value)
    assert "http://127.0.0.1:9" in str(raised.value)


def test_a_spool_is_its_owners_alone(tmp_path):
    spool = Spool.new(tmp_path, Origin("http://ada:secret@host", "0" * 32))
    spool.append([tags_of({"a": "b"})])
    spool.close()
    assert spool.folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_is_not_there_is_refused(bare_workspace):
    outcome = bare_workspace("sync", "--spool", "mlruns/spol")
    assert outcome.code == 2
    assert "sync: --spool: mlruns/spol is no folder" in outcome.err


def test_a_spool_that_the_disk_does_not_take_is_named_in_one_line(tracker, workspace):
    spool = Spool.new(workspace.folder / "mlruns" / "spool", Origin(workspace.uri, tracker.run_id))
    spool.append([tags_of({"a": "b"})])
    spool.close()
    (spool.folder / "delivered").mkdir()
    outcome = workspace("sync")
    assert outcome.code == 2
    assert outcome.err.splitlines() == [f"ae_lightning: error: sync: {spool.folder}: Is a directory"]
    (spool.folder / "delivered").rmdir()
    assert workspace("sync").code == 0


def test_files_have_two_minutes_where_the_rest_has_ten_seconds(monkeypatch):
    monkeypatch.delenv(TIMEOUT, raising=False)
    with impatient():
        assert os.environ[TIMEOUT] == "10"
        with sending_files():
            assert os.environ[TIMEOUT] == "120"
        assert os.environ[TIMEOUT] == "10"
    with sending_files():
        assert TIMEOUT not in os.environ
    assert TIMEOUT not in os.environ
    monkeypatch.setenv(TIMEOUT, "7")
    with impatient(), sending_files():
        assert os.environ[TIMEOUT] == "7"
