"""Working directories that are copied or moved with their database, and those whose store is a server."""

from __future__ import annotations

import hashlib
import shutil

import pytest

pytestmark = pytest.mark.slow

PICTURES = ("--evaluation.pictures", "[reconstructions]")


@pytest.fixture(autouse=True)
def forget():
    """MLflow remembers by a run's id alone where its artifacts are: rightly in a process that sees one workspace."""
    from mlflow.tracking._tracking_service import utils

    utils._artifact_repos_cache.clear()
    return utils._artifact_repos_cache.clear


@pytest.fixture(scope="module")
def original(open_workspace):
    with open_workspace() as workspace:
        outcome = workspace.fit(*PICTURES)
        assert outcome.code == 0, outcome.err
        # From here on the checkpoint names its folder in full.
        outcome = workspace("fit", "--resume", workspace.run().info.run_id, "--trainer.max_epochs", "2")
        assert outcome.code == 0, outcome.err
        yield workspace


@pytest.fixture
def copy(original, tmp_path, work_in):
    folder = tmp_path / "deeper" / "copy"
    shutil.copytree(original.folder, folder)
    with work_in(folder) as workspace:
        yield workspace


def contents(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and ".downloads" not in path.parts
    }


def require_gone_on(workspace, run_id, num_epochs):
    assert [run.info.run_id for run in workspace.runs()] == [run_id]
    assert workspace.run().info.status == "FINISHED"
    assert [metric.step for metric in workspace.history(run_id, "val/loss")] == [10 + 11 * n for n in range(num_epochs)]
    assert workspace.run().data.tags["ae_lightning.checkpoints"] == f"checkpoints/{run_id}"
    assert "reconstructions.png" in workspace.artifacts(run_id, "plots")


@pytest.mark.parametrize("elsewhere", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_copy_goes_on_by_itself(original, copy, tmp_path, monkeypatch, elsewhere):
    before = contents(original.folder)
    run_id = original.run().info.run_id
    if elsewhere:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", copy.uri)
        monkeypatch.chdir(tmp_path)
    with pytest.warns(UserWarning, match="was moved or copied: its artifacts are looked for in"):
        outcome = copy("fit", "--resume", run_id, "--trainer.max_epochs", "3")
    assert outcome.code == 0, outcome.err
    require_gone_on(copy, run_id, 3)
    assert copy.run().info.artifact_uri.startswith(str(copy.folder))
    assert contents(original.folder) == before
    changed = contents(copy.folder)
    assert changed[f"checkpoints/{run_id}/last.ckpt"] != before[f"checkpoints/{run_id}/last.ckpt"]
    assert changed[f"checkpoints/{run_id}/best.ckpt"] != before[f"checkpoints/{run_id}/best.ckpt"]


def test_a_moved_one_goes_on_and_is_compared(copy, tmp_path, work_in):
    run_id = copy.run().info.run_id
    folder = tmp_path / "moved"
    copy.folder.rename(folder)
    with work_in(folder) as moved:
        outcome = moved("compare", "--runs", run_id, "--output", "report")
        assert outcome.code == 0, outcome.err
        assert "left out" not in (folder / "report" / "report.html").read_text().lower()
        outcome = moved("fit", "--resume", run_id, "--trainer.max_epochs", "3")
        assert outcome.code == 0, outcome.err
        assert moved.client.get_run(run_id).info.status == "FINISHED"
        assert len(moved.history(run_id, "val/loss")) == 3
    assert not copy.folder.exists()


def test_a_copy_whose_checkpoints_name_the_original_store_keeps_to_its_own(original, tmp_path, work_in, forget):
    with work_in(original.folder):
        outcome = original.fit("--trainer.logger.tracking_uri", original.uri, "--seed_everything", "1")
    assert outcome.code == 0, outcome.err
    run_id = original.run().info.run_id
    folder = tmp_path / "copy"
    shutil.copytree(original.folder, folder)
    before = contents(original.folder)
    forget()
    with work_in(folder) as workspace:
        outcome = workspace("fit", "--resume", run_id, "--trainer.max_epochs", "2")
        assert outcome.code == 0, outcome.err
        assert len(workspace.history(run_id, "val/loss")) == 2
    assert contents(original.folder) == before
    original.client.delete_run(run_id)
