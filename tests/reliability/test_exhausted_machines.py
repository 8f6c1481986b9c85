"""No memory, no disk space: one clear line, the run marked as failed, and checkpoints to go on from."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from ae_lightning.checkpoints.files import find_damage

# From here on the program may take so many megabytes more than it has.
LIMIT = """
import resource
import psutil
from lightning.pytorch.callbacks import Callback

class Limit(Callback):
    def __init__(self, megabytes: int = 0):
        self.megabytes = megabytes

    def on_train_start(self, trainer, pl_module):
        if self.megabytes:
            limit = psutil.Process().memory_info().vms + self.megabytes * 2**20
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
"""
# Takes all the space there is when an epoch begins, while a file says so.
FILLING = """
from pathlib import Path
from lightning.pytorch.callbacks import Callback

class Filling(Callback):
    def __init__(self, folder: str, epoch: int = 2):
        self.folder, self.epoch = folder, epoch

    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch == self.epoch and Path("fill").exists():
            with Path(self.folder, "filler").open("wb", buffering=0) as file:
                try:
                    while True:
                        file.write(bytes(4096))
                except OSError:
                    pass
"""
DISK_MEGABYTES = 16


def the_only_error(err):
    (line,) = [line for line in err.splitlines() if line.startswith("ae_lightning: error:")]
    assert "Traceback" not in err
    return line


def require_sound_checkpoints(folder):
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"]
    assert {path.name for path in files} >= {"last.ckpt", "best.ckpt"}
    assert {path.name: find_damage(path) for path in files} == {path.name: None for path in files}


@pytest.mark.slow
def test_a_training_that_needs_more_memory_than_there_is(workspace, training):
    (workspace.folder / "limit.py").write_text(LIMIT)
    wide = (
        "--model.network",
        "MLP",
        "--model.network.hidden",
        "[8000]",
        "--model.latent_dim",
        "4",
        "--data.num_val",
        "32",
    )
    assert workspace.fit(*wide).code == 0
    more = ("--resume", workspace.run().info.run_id, "--trainer.max_epochs", "2", "--trainer.callbacks", "limit.Limit")
    started = training("--model", "VAE", *wide)
    started.start(*more, "--data.batch_size", "1400", "--trainer.callbacks.megabytes", "32")
    assert started.end() == 1, started.err
    line = the_only_error(started.err)
    assert "out of memory" in line
    assert "data.batch_size" in line
    assert workspace.run().info.status == "FAILED"
    require_sound_checkpoints(workspace.folder / "checkpoints")
    outcome = workspace.fit(*wide, *more)
    assert outcome.code == 0, outcome.err
    assert [run.info.status for run in workspace.runs()] == ["FINISHED"]


def test_a_network_that_fits_in_no_memory(workspace):
    outcome = workspace("fit", "--model", "VAE", "--model.network", "MLP", "--model.network.hidden", "[1000000000000]")
    assert outcome.code == 1
    assert "smaller model.network" in the_only_error(outcome.err)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own, where this machine lets a test make one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MEGABYTES}m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a file system can be mounted by root alone, and not in every container")
    yield folder
    # MLflow keeps its database open as long as the process lives.
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.slow
def test_a_disk_that_is_full_of_checkpoints(workspace, small_disk):
    require_gone_on_with_when_there_is_room(workspace, small_disk, "--checkpoint.directory", small_disk)


@pytest.mark.slow
def test_a_disk_that_is_full_with_the_database_on_it(small_disk, empty_store, workspace):
    shutil.copy(empty_store, small_disk)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(small_disk)
        require_gone_on_with_when_there_is_room(type(workspace)(small_disk), small_disk)


def require_gone_on_with_when_there_is_room(workspace, disk, *options):
    (workspace.folder / "filling.py").write_text(FILLING)
    (workspace.folder / "fill").touch()
    filling = ("--trainer.callbacks", "filling.Filling", "--trainer.callbacks.folder", disk)
    options = (*filling, "--trainer.max_epochs", "4", "--model.network", "MLP", *options)
    outcome = workspace.fit(*options)
    assert outcome.code == 1, outcome.err
    assert "the disk is full" in the_only_error(outcome.err)
    checkpoints = disk / "checkpoints" if (disk / "checkpoints").exists() else disk
    run_folder = next(path for path in checkpoints.iterdir() if path.is_dir())
    require_sound_checkpoints(run_folder)
    (workspace.folder / "fill").unlink()
    (disk / "filler").unlink()
    outcome = workspace.fit(*options, "--resume")
    assert outcome.code == 0, outcome.err
    (run,) = workspace.runs()
    assert run.info.status == "FINISHED"
    assert len(workspace.history(run.info.run_id, "val/loss")) == 4
