"""Runs that several tests of the command line look at, images to break, and what holds for every refusal."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

PREFIX = "ae_lightning: error: "


@pytest.fixture(scope="module")
def trained(open_workspace):
    """A working directory after one `fit`; tests only read it."""
    with open_workspace() as workspace:
        outcome = workspace.fit()
        assert outcome.code == 0, outcome.err
    return workspace


@pytest.fixture
def npz(tmp_path):
    """Write an archive of images, some of its arrays replaced or, with None, left out."""

    def write(**changes):
        arrays = {
            "x_train": np.full((40, 8, 8), 7, np.uint8),
            "x_test": np.full((10, 8, 8), 7, np.uint8),
            **changes,
        }
        path = tmp_path / "images.npz"
        np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
        return path

    return write


@pytest.fixture
def picture_folder(tmp_path):
    """A folder of small pictures."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
    for position, image in enumerate(pixels):
        Image.fromarray(image).save(folder / f"{position:02}.png")
    return folder


@pytest.fixture
def idx_root(tmp_path, real_data):
    """A copy of MNIST's files."""
    shutil.copytree(real_data / "MNIST", tmp_path / "data" / "MNIST")
    return tmp_path / "data"


@pytest.fixture
def refuse(bare_workspace, capfd):
    """Run the command line, and check all that holds for every fault; gives the message."""

    def run(*arguments, creates=()):
        before = snapshot(bare_workspace.folder)
        outcome = bare_workspace(*arguments)
        written = outcome.err + capfd.readouterr().err
        lines = [line for line in written.splitlines() if line.startswith(PREFIX)]
        assert outcome.code == 2, written
        assert len(lines) == 1, written
        assert "Traceback" not in written
        assert bare_workspace.runs() == []
        after = snapshot(bare_workspace.folder)
        assert {path: after.get(path) for path in before} == before
        assert {path.name for path in after.keys() - before.keys()} <= {"mlflow.db", "mlflow.db.lock", *creates}
        return lines[0].removeprefix(PREFIX)

    return run


def snapshot(folder):
    # Python itself may keep there what it has compiled of a module.
    files = (path for path in folder.rglob("*") if path.is_file() and path.parent.name != "__pycache__")
    return {path: path.read_bytes() for path in files}
