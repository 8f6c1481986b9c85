"""The spool on disk: writes in order, each whole or left out, in one process's hands."""

from __future__ import annotations

import json
import sys
import zlib

import pytest

from ae_lightning.errors import TrackingError
from ae_lightning.tracking.leftover_spools import deliver_left_behind, deliver_left_of_run, find_spools
from ae_lightning.tracking.mlflow_writes import (
    Artifacts,
    LoggedModel,
    Metrics,
    Params,
    Status,
    Tags,
    Text,
    decoded,
    encoded,
    merged,
)
from ae_lightning.tracking.spool import Origin, Spool, SpoolInUseError, held

WRITES = [
    Metrics([("loss", 0.1, 1, 0), ("other", float("inf"), 1, 0)]),
    Params({"a": "1"}),
    Tags({"b": "ü\n2"}),
    Text("first\nsecond", "config.yaml"),
    Artifacts("000001", "plots"),
    LoggedModel("000002", "key"),
    Status("RUNNING"),
    Status("FINISHED", 5),
]


def records_of(spool):
    return [spool._read(record) for record in spool.waiting()]


def spool_in(folder):
    return Spool.new(folder, Origin("sqlite:///x.db", "0" * 32))


@pytest.mark.parametrize("write", WRITES, ids=lambda write: type(write).__name__)
def test_a_write_survives_json(write):
    again = decoded(json.loads(json.dumps(encoded(write))))
    assert json.dumps(encoded(again)) == json.dumps(encoded(write))
    assert again.staged == write.staged


def test_metrics_join_up_to_the_next_of_another_kind():
    points = [("loss", float(step), step, step) for step in range(2500)]
    joined = list(merged([*(Metrics([point]) for point in points), Status("RUNNING"), Metrics([points[0]])]))
    assert [len(one.points) if isinstance(one, Metrics) else 0 for one in joined] == [1000, 1000, 500, 0, 1]
    assert [point for one in joined[:3] for point in one.points] == points


def test_what_waits_is_read_in_order(tmp_path):
    spool = spool_in(tmp_path)
    assert spool.is_empty
    assert list(tmp_path.iterdir()) == []
    spool.append([Status("RUNNING"), Metrics([("a", 1.0, 1, 1)])])
    spool.append([Metrics([("a", 2.0, 2, 2)]), Status("FINISHED", 9)])
    spool.close()
    (found,) = find_spools(tmp_path)
    assert found.origin == spool.origin
    assert [type(one).__name__ for one in records_of(found)] == ["Status", "Metrics", "Metrics", "Status"]


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_record_that_was_cut_short_is_the_only_one_lost(tmp_path, cut):
    spool = spool_in(tmp_path)
    spool.append([Status("RUNNING"), Status("KILLED", 1), Status("FINISHED", 2)])
    spool.close()
    journal = spool.folder / "journal"
    journal.write_bytes(journal.read_bytes()[:-cut])
    assert records_of(spool) == [Status("RUNNING"), Status("KILLED", 1), None]


def test_an_altered_record_is_the_only_one_lost(tmp_path):
    spool = spool_in(tmp_path)
    spool.append([Status("RUNNING"), Status("KILLED", 1), Status("FINISHED", 2)])
    spool.close()
    journal = spool.folder / "journal"
    journal.write_bytes(journal.read_bytes().replace(b"KILLED", b"KILLEE"))
    assert records_of(spool) == [Status("RUNNING"), None, Status("FINISHED", 2)]


def test_a_file_for_a_bucket_whose_library_is_missing_is_kept(workspace, monkeypatch):
    monkeypatch.setattr("ae_lightning.tracking.delivery.SECONDS_BETWEEN_ATTEMPTS", 0.0)
    client = workspace.client
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "boto3", None)
        run_id = client.create_run(client.create_experiment("bucket", "s3://bucket/artifacts")).info.run_id
        spool = Spool.new(workspace.folder, Origin(workspace.uri, run_id))
        (spool.files / spool.stage() / "note.txt").write_text("")
        spool.append([Artifacts("000001", "notes"), Status("FINISHED", 5)])
        with pytest.warns(UserWarning, match="takes everything but files of notes"):
            assert spool.deliver_all(client) == 1
    assert spool.num_refused == 1
    assert client.get_run(run_id).info.status == "FINISHED"


def append_to_journal(spool, record):
    content = json.dumps(record).encode()
    with (spool.folder / "journal").open("ab") as journal:
        journal.write(f"{zlib.crc32(content):08x} ".encode() + content + b"\n")


def test_a_record_with_a_folder_elsewhere_is_not_read(tmp_path):
    spool = spool_in(tmp_path)
    spool.append([Status("RUNNING")])
    append_to_journal(spool, {"kind": "Artifacts", "folder": "../x", "artifact_folder": ""})
    assert records_of(spool) == [Status("RUNNING"), None]


@pytest.mark.parametrize("record", [{"kind": "Prophecy"}, {"kind": "Text", "words": ""}], ids=["kind", "field"])
def test_what_another_version_must_deliver_waits_for_it(tracker, workspace, record):
    root = workspace.folder / "mlruns" / "spool"
    spool = Spool.new(root, Origin(workspace.uri, tracker.run_id, "0.3.1"))
    spool.append([Tags({"order": "first"})])
    append_to_journal(spool, record)
    spool.append([Tags({"order": "last"})])
    spool.close()
    said = "written by ae_lightning 0.3.1, which delivers it"
    outcome = workspace("sync")
    assert outcome.code == 1
    assert said in outcome.out
    assert workspace.client.get_run(tracker.run_id).data.tags["order"] == "first"
    (left,) = find_spools(root)
    assert len(left.waiting()) == 2
    with pytest.warns(UserWarning, match=said):
        deliver_left_behind(root, workspace.uri)
    with pytest.raises(TrackingError, match=said):
        deliver_left_of_run(root, tracker.run_id, workspace.client)
    assert len(left.waiting()) == 2


def test_what_the_first_release_left_is_delivered(tracker, workspace):
    """Its origin names no version; its records are those of today."""
    folder = workspace.folder / "mlruns" / "spool" / f"{tracker.run_id}.1.1"
    folder.mkdir(parents=True)
    (folder / "origin.json").write_text(json.dumps({"tracking_uri": workspace.uri, "run_id": tracker.run_id}))
    records = [
        {"kind": "Tags", "values": {"order": "first"}},
        {"kind": "Metrics", "points": [["val/mse", 0.5, 1, 2]]},
        {"kind": "Text", "text": "note", "artifact_file": "note.txt"},
        {"kind": "Prophecy"},
    ]
    (spool,) = find_spools(folder.parent)
    for record in records:
        append_to_journal(spool, record)
    outcome = workspace("sync")
    assert outcome.code == 1
    assert "written by ae_lightning 0.1, which delivers it" in outcome.out
    data = workspace.client.get_run(tracker.run_id).data
    assert (data.tags["order"], data.metrics["val/mse"]) == ("first", 0.5)
    assert len(spool.waiting()) == 1


def test_an_empty_note_of_what_is_delivered_delivers_all_of_it_again(tracker, workspace):
    spool = Spool.new(workspace.folder, Origin(workspace.uri, tracker.run_id))
    (spool.files / spool.stage() / "note.txt").write_text("")
    spool.append([Artifacts("000001", "notes"), Tags({"order": "first"}), Tags({"order": "second"})])
    first, second, _ = spool.waiting()
    spool.deliver(first, workspace.client)
    spool.deliver(second, workspace.client)
    (spool.folder / "delivered").write_text("")
    assert len(spool.waiting()) == 3
    spool.deliver_all(workspace.client)
    assert spool.is_empty
    assert workspace.client.get_run(tracker.run_id).data.tags["order"] == "second"


def test_only_one_has_a_spool(tmp_path):
    spool = spool_in(tmp_path)
    spool.append([Status("RUNNING")])
    (other,) = find_spools(tmp_path)
    with pytest.raises(SpoolInUseError):
        other.hold()
    spool.close()
    with held(other), pytest.raises(SpoolInUseError):
        spool.hold()


def test_an_empty_spool_leaves_nothing(tmp_path):
    spool = spool_in(tmp_path)
    (spool.files / spool.stage() / "picture.png").write_text("")
    spool.close()
    assert list(tmp_path.iterdir()) == []
