"""What a tracker keeps while the store is away: delivered once, in order, and never in training's way."""

from __future__ import annotations

import shutil
import time
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image

from ae_lightning.tracking import MLflowTracker
from ae_lightning.tracking.leftover_spools import find_spools
from ae_lightning.tracking.mlflow_writes import Write
from ae_lightning.tracking.spool import Spool
from spool_outages import locked, log_a_bit, require_all, without_runs


def test_a_store_that_fails_is_caught_up_with_when_it_is_back(tracker, workspace, monkeypatch, capsys):
    monkeypatch.setattr("ae_lightning.tracking.writer.SECONDS_BETWEEN_PROBES", 0.1)
    log_a_bit(tracker, workspace.folder, range(5))
    tracker.flush()
    with without_runs(workspace.folder / "mlflow.db"):
        log_a_bit(tracker, workspace.folder, range(5, 12))
        with pytest.warns(UserWarning, match=r"takes nothing.*ae_lightning sync"):
            tracker._writer._work()
        log_a_bit(tracker, workspace.folder, range(12, 20))
        tracker.flush()
        assert tracker.undelivered
    monkeypatch.setattr("ae_lightning.tracking.writer.SECONDS_BETWEEN_REQUESTS", 0.1)
    tracker._writer._wake.set()  # it looks by itself from here on
    deadline = time.monotonic() + 60
    while tracker.undelivered:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert len(workspace.history(tracker.run_id, "loss")) == 20
    tracker.finalize()
    assert "is back, and has" in capsys.readouterr().err
    require_all(workspace, tracker.run_id, 20)


@pytest.mark.filterwarnings("ignore:MLflow at")
def test_a_request_that_is_taken_after_all_doubles_nothing(tracker, workspace):
    with locked(workspace.folder / "mlflow.db"):
        log_a_bit(tracker, workspace.folder, range(10))
        start = time.perf_counter()
        # The writer's request waits for the lock; meanwhile what it wants to say goes to the disk.
        tracker._writer.flush(patience=1.5)
        assert time.perf_counter() - start < 5
        assert find_spools(tracker.spool_root, tracker.run_id)[0].num_waiting == 2
    log_a_bit(tracker, workspace.folder, range(10, 12))
    tracker.finalize()
    require_all(workspace, tracker.run_id, 12)


@pytest.mark.filterwarnings("ignore:MLflow at")
def test_what_a_run_leaves_behind_is_delivered_once_by_sync(tracker, workspace):
    with without_runs(workspace.folder / "mlflow.db"):
        log_a_bit(tracker, workspace.folder, range(10))
        tracker.finalize()
        assert "sync" in " ".join(tracker.undelivered)
        refused = workspace("sync")
        assert refused.code == 2
        assert len(refused.err.splitlines()) == 1
        assert "does not answer" in refused.err
    folder = find_spools(tracker.spool_root, tracker.run_id)[0].folder
    copy = folder.with_name(f"{tracker.run_id}.9.9")
    shutil.copytree(folder, copy)
    done = workspace("sync")
    assert done.code == 0, done.err
    assert done.out.count("records delivered") == 2, "the copy goes to the store too, and doubles nothing"
    require_all(workspace, tracker.run_id, 10)
    assert "nothing waits in mlruns/spool" in workspace("sync").out


@pytest.mark.filterwarnings("ignore:MLflow at")
def test_a_deleted_run_keeps_its_spool_and_holds_up_no_other(workspace):
    opened = [MLflowTracker(system_metrics=False) for _ in range(2)]
    for tracker in opened:
        tracker.open()
    with without_runs(workspace.folder / "mlflow.db"):
        for tracker in opened:
            log_a_bit(tracker, workspace.folder, range(3))
            tracker.finalize()
    deleted, other = (tracker.run_id for tracker in opened)
    workspace.client.delete_run(deleted)
    done = workspace("sync")
    assert done.code == 1
    assert f"run {deleted}: not delivered" in done.out
    assert f"run {other}: 3 records delivered" in done.out
    workspace.client.restore_run(deleted)
    assert workspace("sync").code == 0
    for run_id in (deleted, other):
        require_all(workspace, run_id, 3)


@pytest.mark.filterwarnings("ignore:MLflow at")
def test_a_spool_in_use_is_left_to_whoever_has_it(tracker, workspace):
    with without_runs(workspace.folder / "mlflow.db"):
        log_a_bit(tracker, workspace.folder, range(3))
        tracker.flush()
        tracker._writer._work()
    done = workspace("sync")
    assert done.code == 0
    assert "a process that still runs has it" in done.out or "nothing waits" in done.out
    tracker.finalize()
    require_all(workspace, tracker.run_id, 3)


@pytest.mark.filterwarnings("ignore:MLflow at")
def test_a_run_gone_on_with_gets_first_what_waits(tracker, workspace):
    with without_runs(workspace.folder / "mlflow.db"):
        log_a_bit(tracker, workspace.folder, range(10))
        tracker.finalize("failed")
    again = MLflowTracker(run_id=tracker.run_id, system_metrics=False)
    again.open()
    log_a_bit(again, workspace.folder, range(6, 15))
    again.finalize()
    require_all(workspace, tracker.run_id, 15)


def test_what_the_store_will_never_take_is_said_and_holds_up_nothing(tracker, workspace):
    tracker.log_metrics({"x" * 300: 1.0}, 0)
    (workspace.folder / "note.txt").write_text("")
    tracker.log_file(workspace.folder / "note.txt", "notes")
    with pytest.warns(UserWarning, match="MLflow refuses"):
        tracker.finalize()
    assert workspace.artifacts(tracker.run_id, "notes") == {"note.txt"}
    assert workspace.client.get_run(tracker.run_id).info.status == "FINISHED"


@pytest.mark.filterwarnings("ignore:MLflow at")
def test_what_fails_each_time_is_set_aside_and_blocks_nothing(tracker, workspace, monkeypatch):
    monkeypatch.setattr("ae_lightning.tracking.delivery.SECONDS_BETWEEN_ATTEMPTS", 0.0)
    artifacts = Path(workspace.client.get_run(tracker.run_id).info.artifact_uri.removeprefix("file://"))
    artifacts.parent.mkdir(parents=True, exist_ok=True)
    artifacts.write_text("a file where MLflow wants a folder")
    (workspace.folder / "note.txt").write_text("kept")
    tracker.log_file(workspace.folder / "note.txt", "notes")
    tracker.log_metrics({"loss": 1.0}, 0)
    with pytest.warns(UserWarning, match="takes everything but notes/note.txt"):
        tracker.finalize()
    assert all(spool.is_empty for spool in find_spools(tracker.spool_root, tracker.run_id))
    assert len(workspace.history(tracker.run_id, "loss")) == 1
    run = workspace.client.get_run(tracker.run_id)
    assert run.info.status == "FINISHED"
    assert not [tag for tag in run.data.tags if "probe" in tag]
    (spool,) = find_spools(tracker.spool_root, tracker.run_id)
    (kept,) = spool.files.rglob("note.txt")
    assert kept.read_text() == "kept"
    assert spool.num_refused == 1
    again = workspace("sync", "--refused")
    assert again.code == 1
    assert "1 records at no attempt" in again.out
    artifacts.unlink()
    assert workspace("sync", "--refused").code == 0
    assert workspace.artifact(tracker.run_id, "notes/note.txt").read_text() == "kept"
    assert not kept.exists()


def test_a_training_goes_on_where_no_spool_can_be_made(workspace):
    (workspace.folder / "blocked").write_text("a file where the spools' folder would be")
    with pytest.warns(UserWarning, match="blocked.* cannot be written, so MLflow gets no copy"):
        outcome = workspace.fit("--trainer.logger.spool", "blocked/spool", "--evaluation.pictures", "[samples]")
    assert outcome.code == 0, outcome.err
    run = workspace.run()
    assert run.info.status == "FINISHED"
    assert "test/mse" in run.data.metrics


def test_a_spool_that_a_sync_has_gets_no_file_and_ends_nothing(tracker, workspace):
    (workspace.folder / "note.txt").write_text("")
    Image.new("RGB", (4, 4)).save(workspace.folder / "picture.png")
    syncing = Spool(tracker._spool.folder, tracker._spool.origin)
    with closing(syncing.hold()):
        with pytest.warns(UserWarning, match="no copy: another process"):
            tracker.log_file(workspace.folder / "note.txt", "notes")
        with pytest.warns(UserWarning, match="no copy: another process"):
            tracker.log_picture(workspace.folder / "picture.png", "val/samples", 0)
    log_a_bit(tracker, workspace.folder, range(3))
    tracker.finalize()
    require_all(workspace, tracker.run_id, 3)


def test_what_neither_store_nor_disk_takes_is_said_to_be_lost(tracker, workspace):
    (workspace.folder / "note.txt").write_text("kept")
    with without_runs(workspace.folder / "mlflow.db"):
        tracker.log_file(workspace.folder / "note.txt", "notes")
        (tracker._spool.folder / "journal").symlink_to("/dev/full")
        with pytest.warns(UserWarning, match="records") as warned:
            tracker.finalize()
    said = " ".join(str(warning.message) for warning in warned)
    assert "the last 2 records" in said
    assert "lost" in said
    assert "sync" not in said
    assert (tracker._spool.files / "000001" / "notes" / "note.txt").read_text() == "kept"
    assert find_spools(tracker._spool.folder.parent) == []


@pytest.mark.filterwarnings("ignore:MLflow at", "ignore:delivering to MLflow failed")
def test_no_fault_ends_the_writer(tracker, workspace):
    tracker._submit(Write("metrics", [("loss", "no number", 1, 0)]))
    tracker._writer._work()
    tracker._submit(None)
    tracker._writer._work()
    assert tracker._writer._thread.is_alive()
    del tracker._writer._waiting[:]


@pytest.mark.filterwarnings("ignore:MLflow at")
def test_what_is_kept_in_an_outage_while_training_is_not_lost(workspace):
    (workspace.folder / "noting.py").write_text(NOTING)
    outcome = workspace.fit("--trainer.callbacks", "noting.Noting", "--evaluation.pictures", "[]")
    assert outcome.code == 0, outcome.err
    run = workspace.run()
    assert workspace.artifact(run.info.run_id, "note.txt").read_text() == "in an outage"
    assert run.data.tags["note"] == "in an outage"


# Written into the working directory: something is to be kept while the store fails.
NOTING = """
from lightning.pytorch.callbacks import Callback
from spool_outages import log_a_bit, require_all, without_runs

class Noting(Callback):
    def on_train_epoch_end(self, trainer, pl_module):
        with without_runs("mlflow.db"):
            trainer.logger.log_text("in an outage", "note.txt")
            trainer.logger.set_tags({"note": "in an outage"})
"""


def test_sync_helps(bare_workspace):
    shown = bare_workspace("sync", "--help")
    assert shown.code == 0
    for word in ("--spool", "--tracking_uri", "Exit codes"):
        assert word in shown.out
    assert "nothing waits in" in bare_workspace("sync").out
    assert bare_workspace("sync", "--spol", "x").code == 2
