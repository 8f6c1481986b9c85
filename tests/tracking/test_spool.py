"""The spool on disk: writes in order, each whole or left out, in one process's hands."""

from __future__ import annotations

import json
import sys
import warnings
import zlib
from contextlib import closing

import pytest

from ae_lightning.errors import TrackingError
from ae_lightning.tracking.leftover_spools import deliver_left_behind, deliver_left_of_run, find_spools
from ae_lightning.tracking.mlflow_writes import Write, files_in, line_of, merged, tags_of, write_in
from ae_lightning.tracking.spool import Origin, Spool, SpoolInUseError

WRITES = [
    Write("metrics", [("loss", 0.1, 1, 0), ("other", float("inf"), 1, 0)]),
    Write("params", [("a", "1", False)]),
    tags_of({"b": "ü\n2"}),
    Write("text", [("config.yaml", "first\nsecond")]),
    Write("files", [("plots/a.png",)], "000001"),
    Write("model", [("key",)], "000002"),
    Write("status", [("RUNNING", None)]),
    Write("status", [("FINISHED", 5)]),
]


def spool_in(folder):
    return Spool.new(folder, Origin("sqlite:///x.db", "0" * 32))


class Taking:
    """A client that takes everything and remembers the tags, in order."""

    def __init__(self):
        self.tags = []

    def log_batch(self, run_id, tags):
        self.tags += [tag.value for tag in tags]


def delivered(spool):
    """The tags that are delivered of a spool, and how many records are said to be unreadable."""
    client = Taking()
    with warnings.catch_warnings(record=True) as warned, closing(spool.hold()):
        warnings.simplefilter("always")
        list(spool.deliver(client))
    assert all("a record cannot be read, and is left out" in str(warning.message) for warning in warned)
    return client.tags, len(warned)


def three_in(folder):
    """A spool with three records, and its journal."""
    with closing(spool_in(folder)) as spool:
        spool.append([tags_of({"order": order}) for order in ("first", "second", "third")])
    return spool, spool.folder / "journal"


@pytest.mark.parametrize("write", WRITES, ids=lambda write: type(write).__name__)
def test_a_write_survives_the_disk(write):
    line = line_of(write)
    again = write_in(line)
    assert line_of(again) == line
    assert (again.kind, again.staged, again.names) == (write.kind, write.staged, write.names)


def test_metrics_join_up_to_the_next_of_another_kind():
    points = [("loss", float(step), step, step) for step in range(2500)]
    single = [Write("metrics", [point]) for point in points]
    joined = list(merged([*single, tags_of({"a": "b"}), single[0]]))
    assert [(one.kind, len(one.items)) for one in joined] == [
        *(("metrics", 1000), ("metrics", 1000), ("metrics", 500), ("tags", 1), ("metrics", 1)),
    ]
    assert [point for one in joined[:3] for point in one.items] == points


def test_what_waits_is_delivered_in_order(tmp_path):
    spool = spool_in(tmp_path)
    assert spool.is_empty
    assert list(tmp_path.iterdir()) == []
    for start in (0, 2):
        spool.append([tags_of({"order": str(start + more)}) for more in (0, 1)])
    spool.close()
    (found,) = find_spools(tmp_path)
    assert found.origin == spool.origin
    assert found.num_waiting == 4
    assert delivered(found) == (["0", "1", "2", "3"], 0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_record_that_was_cut_short_is_the_only_one_lost(tmp_path, cut):
    spool, journal = three_in(tmp_path)
    journal.write_bytes(journal.read_bytes()[:-cut])
    assert delivered(spool) == (["first", "second"], 1)


def test_an_altered_record_is_the_only_one_lost(tmp_path):
    spool, journal = three_in(tmp_path)
    journal.write_bytes(journal.read_bytes().replace(b"second", b"secone"))
    assert delivered(spool) == (["first", "third"], 1)


def test_no_damage_costs_more_than_the_records_that_it_touches(tmp_path):
    """A sector of 512 bytes that reads as zeros, at every place of a journal of a hundred records."""
    with closing(spool_in(tmp_path)) as spool:
        spool.append([tags_of({"order": str(number)}) for number in range(100)])
    whole = (spool.folder / "journal").read_bytes()
    length = len(whole) // 100
    for start in range(0, len(whole) - 512, 512):
        lines = (whole[:start] + bytes(512) + whole[start + 512 :]).splitlines(keepends=True)
        assert len([line for line in lines if write_in(line)]) >= 100 - (512 // length + 2)


def test_a_file_for_a_bucket_whose_library_is_missing_is_kept(workspace, monkeypatch):
    monkeypatch.setattr("ae_lightning.tracking.delivery.SECONDS_BETWEEN_ATTEMPTS", 0.0)
    client = workspace.client
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "boto3", None)
        run_id = client.create_run(client.create_experiment("bucket", "s3://bucket/artifacts")).info.run_id
        spool = Spool.new(workspace.folder, Origin(workspace.uri, run_id))
        staged = spool.stage()
        (staged / "note.txt").write_text("")
        spool.append([files_in(staged), Write("status", [("FINISHED", 5)])])
        with pytest.warns(UserWarning, match="takes everything but note.txt"):
            assert list(spool.deliver(client)) == [False, True]
    assert spool.num_refused == 1
    assert client.get_run(run_id).info.status == "FINISHED"


def append_to_journal(spool, record):
    content = json.dumps(record).encode()
    with (spool.folder / "journal").open("ab") as journal:
        journal.write(f"{zlib.crc32(content):08x} ".encode() + content + b"\n")


def test_a_record_with_a_folder_elsewhere_is_not_read(tmp_path):
    spool, _ = three_in(tmp_path)
    append_to_journal(spool, {"kind": "files", "items": [["x"]], "staged": "../x"})
    assert delivered(spool) == (["first", "second", "third"], 1)


@pytest.mark.parametrize(
    ("record", "version"),
    [
        ({"kind": "prophecy", "items": [], "staged": ""}, "0.3.1"),
        ({"kind": "text", "items": [], "words": ""}, "0.3.1"),
        # As the first release wrote them, whose origin names no version.
        ({"kind": "Tags", "values": {"order": "second"}}, "0.1"),
    ],
    ids=["kind", "field", "first release"],
)
def test_what_another_version_must_deliver_waits_for_it(tracker, workspace, record, version):
    root = workspace.folder / "mlruns" / "spool"
    spool = Spool.new(root, Origin(workspace.uri, tracker.run_id, version))
    spool.append([tags_of({"order": "first"})])
    append_to_journal(spool, record)
    spool.append([tags_of({"order": "last"})])
    spool.close()
    origin = spool.folder / "origin.json"
    if version == "0.1":
        origin.write_text(json.dumps({"tracking_uri": workspace.uri, "run_id": tracker.run_id}))
    said = f"written by ae_lightning {version}, which delivers it"
    outcome = workspace("sync")
    assert outcome.code == 1
    (line,) = outcome.out.splitlines()
    assert said in line
    assert workspace.client.get_run(tracker.run_id).data.tags["order"] == "first"
    (left,) = find_spools(root)
    assert left.num_waiting == 2
    with pytest.warns(UserWarning, match=said):
        deliver_left_behind(root, workspace.uri)
    with pytest.raises(TrackingError, match=said):
        deliver_left_of_run(root, tracker.run_id, workspace.client)
    assert left.num_waiting == 2


def test_an_empty_note_of_what_is_delivered_delivers_all_of_it_again(tracker, workspace):
    spool = Spool.new(workspace.folder, Origin(workspace.uri, tracker.run_id))
    staged = spool.stage()
    (staged / "note.txt").write_text("")
    spool.append([files_in(staged), tags_of({"order": "first"}), tags_of({"order": "second"})])
    delivering = spool.deliver(workspace.client)
    assert [next(delivering), next(delivering)] == [True, True]
    assert spool.num_waiting == 1
    (spool.folder / "delivered").write_text("")
    assert spool.num_waiting == 3
    assert list(spool.deliver(workspace.client)) == [True] * 3
    assert spool.is_empty
    assert workspace.client.get_run(tracker.run_id).data.tags["order"] == "second"


def test_only_one_has_a_spool(tmp_path):
    spool = spool_in(tmp_path)
    spool.append([tags_of({"order": "first"})])
    (other,) = find_spools(tmp_path)
    with pytest.raises(SpoolInUseError):
        other.hold()
    spool.close()
    with closing(other.hold()), pytest.raises(SpoolInUseError):
        spool.append([tags_of({"order": "second"})])


def test_an_empty_spool_leaves_nothing(tmp_path):
    with closing(spool_in(tmp_path)) as spool:
        (spool.stage() / "picture.png").write_text("")
    assert list(tmp_path.iterdir()) == []
