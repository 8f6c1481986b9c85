"""What processes that have ended left for MLflow: delivered before a run is looked for."""

from __future__ import annotations

from threading import Timer

import pytest

from ae_lightning.tracking.leftover_spools import deliver_left_behind, find_spools
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
