"""What processes that have ended left for MLflow: delivered before a run is looked for."""

from __future__ import annotations

import json
from threading import Timer

import pytest

from ae_lightning.errors import TrackingError
from ae_lightning.tracking.leftover_spools import deliver_all, deliver_left_behind, find_spools
from spool_outages import log_a_bit, require_all, without_runs


@pytest.mark.filterwarnings("ignore:MLflow at")
def test_a_run_that_finished_while_the_store_was_away_is_not_resumed(tracker, workspace):
    with without_runs(workspace.folder / "mlflow.db"):
        log_a_bit(tracker, workspace.folder, range(2))
        tracker.finalize()
    assert workspace.client.get_run(tracker.run_id).info.status == "RUNNING"
    deliver_left_behind(workspace.folder / "mlruns" / "spool", workspace.uri)
    require_all(workspace, tracker.run_id, 2)


@pytest.mark.filterwarnings("ignore:MLflow at")
def test_a_rank_waits_until_another_has_delivered(tracker, workspace):
    with without_runs(workspace.folder / "mlflow.db"):
        log_a_bit(tracker, workspace.folder, range(2))
        tracker.finalize()
    (other,) = find_spools(root := workspace.folder / "mlruns" / "spool")
    other.hold()
    deliver_left_behind(root, workspace.uri)
    assert workspace.client.get_run(tracker.run_id).info.status == "RUNNING"
    Timer(0.5, other.close).start()
    deliver_left_behind(root, workspace.uri, patience=30)
    require_all(workspace, tracker.run_id, 2)


@pytest.mark.filterwarnings("ignore:MLflow at")
def test_a_spool_of_others_does_not_choose_who_gets_the_token(tracker, workspace, monkeypatch, capsys):
    server = "http://127.0.0.1:9"
    with without_runs(workspace.folder / "mlflow.db"):
        log_a_bit(tracker, workspace.folder, range(2))
        tracker.finalize()
    root = workspace.folder / "mlruns" / "spool"
    (path,) = root.glob("*/origin.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "tracking_uri": server, "seen_from_here": None}))
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "secret")
    assert deliver_all(root, None) == 1
    said = capsys.readouterr().out
    assert f"would get the token or password that is set for MLflow; give --tracking_uri {server}" in said
    with pytest.raises(TrackingError, match="does not answer"):
        deliver_all(root, server)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    with pytest.raises(TrackingError, match="does not answer"):
        deliver_all(root, None)
