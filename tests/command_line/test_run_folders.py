"""Runs that MLflow does not keep."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import pytest
import torch
import yaml

from ae_lightning.machine.run_lock import RunLock
from quick_options import JUDGED_QUICKLY

pytestmark = pytest.mark.slow

WITHOUT = ("--trainer.logger", "false")
PICTURES = ("--evaluation.pictures", "[reconstructions]")
FILES = {
    *("config.yaml", "metrics.csv", "model_summary.txt", "environment.json", "best.ckpt", "last.ckpt"),
    *("plots/reconstructions.png", "evaluation/test/seconds.json"),
}


def run_folders(folder):
    return sorted((folder / "runs").iterdir(), key=lambda path: path.stat().st_ctime_ns)


def files(folder):
    found = (path for path in folder.rglob("*") if path.is_file() and path.name != "training.lock")
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def curve(folder, metric):
    with (folder / "metrics.csv").open() as file:
        return [(int(row["step"]), float(row["value"])) for row in csv.DictReader(file) if row["metric"] == metric]


@pytest.fixture(scope="module")
def twice(open_workspace):
    """Two runs of the same configuration."""
    with open_workspace() as workspace:
        outcomes = []
        for _ in range(2):
            outcomes.append(workspace.fit(*WITHOUT, *PICTURES))
            assert outcomes[-1].code == 0, outcomes[-1].err
            if len(outcomes) == 1:
                (first,) = run_folders(workspace.folder)
                kept = files(first)
        assert files(first) == kept
        assert workspace.runs() == []
        yield workspace, outcomes


def test_each_has_a_folder_with_all_that_it_leaves(twice):
    workspace, outcomes = twice
    for folder, outcome in zip(run_folders(workspace.folder), outcomes, strict=True):
        assert folder.name.startswith("VAE-2-")
        assert files(folder).keys() == FILES
        assert str(folder.relative_to(workspace.folder)) in outcome.out
        ((step, value),) = curve(folder, "test/mse")
        assert step == 11
        assert f"{value:.4f}" in outcome.out
        assert [step for step, _ in curve(folder, "val/loss")] == [10]
    assert {path.name for path in workspace.folder.iterdir()} == {"mlflow.db", "runs"}


def test_it_is_judged_without_mlflow_too_unless_that_is_asked_for(twice, workspace):
    trained, _ = twice
    before = files(trained.folder)
    judged = ("--ckpt_path", run_folders(trained.folder)[0] / "best.ckpt", *JUDGED_QUICKLY)
    for command in ("test", "validate"):
        outcome = workspace(command, *judged)
        assert outcome.code == 0, outcome.err
        assert "mse" in outcome.out
    assert workspace.runs() == []
    assert workspace("test", *judged, "--trainer.logger", "MLflowTracker").code == 0
    assert "test/mse" in workspace.run().data.metrics
    assert files(trained.folder) == before


def test_its_configuration_runs_unchanged(twice, bare_workspace):
    workspace, _ = twice
    first = run_folders(workspace.folder)[0]
    outcome = bare_workspace("fit", "-c", first / "config.yaml")
    assert outcome.code == 0, outcome.err
    (again,) = run_folders(bare_workspace.folder)
    assert curve(again, "test/loss") == curve(first, "test/loss")


# Training stops for good only while the file is there: going on has the same configuration.
BREAKING = """
from pathlib import Path
from lightning.pytorch.callbacks import Callback

class Breaking(Callback):
    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch == 1 and Path("break").exists():
            raise RuntimeError("broken on purpose")
"""


@pytest.mark.parametrize("is_moved", [False, True])
def test_one_that_was_broken_off_is_gone_on_with(workspace, is_moved):
    (workspace.folder / "breaking.py").write_text(BREAKING)
    options = (*WITHOUT, *PICTURES, "--trainer.callbacks", "breaking.Breaking", "--trainer.max_epochs", "2")
    assert workspace.fit(*options).code == 0
    (workspace.folder / "break").touch()
    with pytest.raises(RuntimeError, match="on purpose"):
        workspace.fit(*options)
    (workspace.folder / "break").unlink()
    peace, broken = run_folders(workspace.folder)
    if is_moved:
        broken = broken.rename(workspace.folder / "elsewhere")
    # As a process that is killed leaves it.
    with (broken / "metrics.csv").open("a") as file:
        file.write("19,train/lo")
    outcome = workspace("fit", "--resume", f"{broken.relative_to(workspace.folder)}/")
    assert outcome.code == 0, outcome.err
    assert files(broken).keys() == FILES | {"previous.ckpt"}
    for metric in ("train/loss", "val/loss", "test/mse"):
        assert curve(broken, metric) == curve(peace, metric)
    loaded = [torch.load(folder / "last.ckpt", weights_only=True) for folder in (peace, broken)]
    for name, weights in loaded[0]["state_dict"].items():
        assert torch.equal(weights, loaded[1]["state_dict"][name])
    assert len(run_folders(workspace.folder)) == (1 if is_moved else 2)


def test_another_setting_is_written_down_beside_the_first(workspace):
    assert workspace.fit(*WITHOUT).code == 0
    (folder,) = run_folders(workspace.folder)
    before = files(folder)
    outcome = workspace("fit", "--resume", folder, "--trainer.max_epochs", "2")
    assert outcome.code == 0, outcome.err
    after = files(folder)
    assert after.keys() - before.keys() == {"config.2.yaml", "previous.ckpt"}
    assert after["config.yaml"] == before["config.yaml"]
    assert yaml.safe_load((folder / "config.2.yaml").read_text())["trainer"]["max_epochs"] == 2
    assert [step for step, _ in curve(folder, "val/loss")] == [10, 21]


def test_one_that_still_trains_is_refused(twice):
    workspace, _ = twice
    folder = run_folders(workspace.folder)[0]
    lock = RunLock(folder)
    # Of this process, but not by the object that everything in it shares.
    lock._lock = type(lock._lock)(folder / "training.lock", blocking=False, is_singleton=False)
    assert lock.take()
    try:
        outcome = workspace("fit", "--resume", folder)
    finally:
        lock.release()
    assert outcome.code == 2
    assert f"--resume: run {folder} still trains in another process" in outcome.err


@pytest.mark.parametrize(
    ("run", "options", "said"),
    [
        ("runs/nowhere", (), "--resume: there is no folder runs/nowhere"),
        (".", (), "--resume: . holds no sound checkpoint to go on from"),
        ("first", ("--trainer.logger", "MLflowTracker"), "--resume: trainer.logger is an MLflowTracker"),
        (None, WITHOUT, "name the folder of one: --resume runs/NAME-TIME"),
    ],
)
def test_what_cannot_be_gone_on_with(twice, monkeypatch, run, options, said):
    workspace, _ = twice
    monkeypatch.chdir(workspace.folder)
    before = files(workspace.folder)
    named = run_folders(workspace.folder)[0] if run == "first" else run
    arguments = [] if named is None else [named]
    outcome = workspace("fit", "--model", "VAE", "--resume", *arguments, *options)
    assert outcome.code == 2
    assert said in outcome.err
    assert len(outcome.err.splitlines()) == 1
    assert files(workspace.folder) == before


def test_other_loggers_stand_beside_it(bare_workspace):
    (bare_workspace.folder / "loggers.yaml").write_text(
        "trainer:\n  logger:\n    class_path: lightning.pytorch.loggers.CSVLogger\n    init_args: {save_dir: logs}\n"
    )
    outcome = bare_workspace.fit("-c", "loggers.yaml", "--checkpoint.directory", "kept")
    assert outcome.code == 0, outcome.err
    (folder,) = (bare_workspace.folder / "kept").iterdir()
    assert {"config.yaml", "metrics.csv", "best.ckpt"} <= files(folder).keys()
    assert list(bare_workspace.folder.glob("logs/**/metrics.csv"))
    assert not (bare_workspace.folder / "runs").exists()


def test_where_loggers_and_checkpoints_are_refused_nothing_is_left(bare_workspace):
    assert bare_workspace.fit(*WITHOUT, "--trainer.enable_checkpointing", "false").code == 0
    assert list(Path().iterdir()) == []
