"""What runs and spools say of folders that may be moved or copied."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import pytest

from ae_lightning.tracking import checkpoint_folder, told_folder
from ae_lightning.tracking.leftover_spools import find_spools
from ae_lightning.tracking.mlflow_writes import tags_of
from ae_lightning.tracking.origin import Origin
from ae_lightning.tracking.spool import Spool
from ae_lightning.tracking.store import absolute_uri

SERVER = "http://localhost:5000"
TAG = "ae_lightning.checkpoints"


@pytest.fixture
def begun(tmp_path, monkeypatch):
    """A workspace with the checkpoints of the run `a`."""
    folder = tmp_path / "begun"
    (folder / "checkpoints" / "a").mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("database", ["mlflow.db", "db/mlflow.db"])
@pytest.mark.parametrize("begun_remains", [True, False])
def test_checkpoints_are_found_beside_the_database_that_they_were_moved_with(
    begun, tmp_path, monkeypatch, database, begun_remains
):
    (begun / database).parent.mkdir(exist_ok=True)
    told = told_folder(Path("checkpoints/a"), f"sqlite:///{database}")
    shutil.copytree(begun, tmp_path / "moved")
    if not begun_remains:
        shutil.rmtree(begun)
    monkeypatch.chdir(tmp_path)
    found = checkpoint_folder({TAG: told}, f"sqlite:///{tmp_path / 'moved' / database}")
    assert found == tmp_path / "moved" / "checkpoints" / "a"


def test_those_of_a_store_that_is_elsewhere_are_found_from_anywhere(begun, tmp_path, monkeypatch):
    uri = f"sqlite:///{tmp_path / 'shared' / 'mlflow.db'}"
    told = told_folder(Path("checkpoints/a"), uri)
    monkeypatch.chdir(tmp_path)
    assert checkpoint_folder({TAG: told}, uri) == begun / "checkpoints" / "a"
    begun.rename(tmp_path / "moved")
    monkeypatch.chdir(tmp_path / "moved")
    assert checkpoint_folder({TAG: told}, uri) == tmp_path / "moved" / "checkpoints" / "a"


def test_those_of_a_server_are_the_working_directorys_own_where_it_has_any(begun, tmp_path, monkeypatch):
    told = told_folder(Path("checkpoints/a"), SERVER)
    copy = tmp_path / "copy"
    shutil.copytree(begun, copy)
    for folder, expected in ((tmp_path, begun), (begun, begun), (copy, copy)):
        monkeypatch.chdir(folder)
        assert checkpoint_folder({TAG: told}, SERVER) == expected / "checkpoints" / "a"
    assert checkpoint_folder({}, SERVER) is None


@pytest.mark.parametrize("is_shared", [False, True])
def test_what_waits_in_a_copy_is_for_the_copys_database(begun, tmp_path, monkeypatch, is_shared):
    database = tmp_path / "shared" / "mlflow.db" if is_shared else begun / "mlflow.db"
    database.parent.mkdir(exist_ok=True)
    database.touch()
    origin = Origin(absolute_uri(f"sqlite:///{database}"), "a")
    with closing(Spool.new(begun / "mlruns" / "spool", origin)) as spool:
        spool.append([tags_of({"a": "b"})])
    copy = tmp_path / "deeper" / "copy"
    shutil.copytree(begun, copy)
    (found,) = find_spools(copy / "mlruns" / "spool")
    assert found.origin.tracking_uri == f"sqlite:///{database if is_shared else copy / 'mlflow.db'}"
    assert find_spools(begun / "mlruns" / "spool")[0].origin == origin
