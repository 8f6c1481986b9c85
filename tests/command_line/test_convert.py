"""`convert`, and `fit` on what it wrote."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from ae_lightning.command_line.convert import parser
from ae_lightning.data import DataModule


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.slow
def test_a_converted_set_is_trained_on_and_judged(workspace):
    outcome = workspace("convert", "--data.name", "digits", "--data.num_val", "100", "--output", "on/disk")
    said = "1 × 8 × 8; 1,338 train, 100 val, 359 test; 10 classes (0, 1, 2, …)\n"
    assert (outcome.code, outcome.err) == (0, f"digits: {said}")
    assert outcome.out == "1,338 train, 100 val, 359 test in on/disk\n"
    assert names(workspace.folder / "on") == ["disk"]
    before = set(names(workspace.folder))
    outcome = workspace.fit("--data.name", "stream", "--data.path", "on/disk", "--trainer.max_epochs", "2")
    assert outcome.code == 0, outcome.err
    assert f"disk: {said}" in outcome.err
    run = workspace.run()
    assert run.info.status == "FINISHED"
    assert {"val/loss", "test/loss", "test/mse"} <= set(run.data.metrics)
    # litdata leaves nothing beside what every training leaves
    assert set(names(workspace.folder)) - before <= {"checkpoints", "mlflow.db.lock", "mlruns", "cache"}
    checkpoint = workspace.checkpoint()
    assert workspace("test", "--ckpt_path", checkpoint, "--evaluation.pictures", "[]").code == 0
    outcome = workspace("predict", "--ckpt_path", checkpoint, "--data.predict_split", "train", "--output", "codes.npz")
    assert outcome.code == 0, outcome.err
    assert len(np.load("codes.npz")["codes"]) == 1338


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--data.name", "digits"), "convert: the following arguments are required: --output"),
        (("--output", "new"), "convert: the following arguments are required: --data.name"),
        (("--data.name", "digit", "--output", "new"), "data.name: 'digit' is not known; did you mean 'digits'?"),
        (("--data.name", "digits", "--output", "taken"), "convert: --output: taken exists already"),
        (("--data.name", "npz", "--output", "new"), "data.path must say where the samples are"),
        (("--data.name", "folder", "--data.path", "none", "--output", "new"), "there is no folder none"),
        (("--data.name", "digits", "--data.num_val", "5000", "--output", "new"), "data.num_val 5000 leaves none"),
        (("--data.name", "digits", "--data.leave_out_class", "x", "--output", "new"), "data.leave_out_class: 'x'"),
        (("--data.name", "digits", "--data.batch_size", "5", "--output", "new"), "unrecognized arguments"),
        (("--data.name", "folder", "--data.path", ".", "--data.follow_links", "maybe", "--output", "new"), "maybe"),
        (("--data.name", "stream", "--data.path", "taken", "--output", "new"), "taken is a stream already"),
        (("--data.name", "digits", "--output", "file/new"), "convert: --output: file/new cannot be written"),
    ],
)
def test_what_cannot_be_converted_is_said_in_one_line(bare_workspace, options, words):
    (bare_workspace.folder / "taken").mkdir()
    (bare_workspace.folder / "file").touch()
    outcome = bare_workspace("convert", *options)
    assert outcome.code == 2
    assert words in outcome.err
    assert len(outcome.err.splitlines()) == 1
    assert names(bare_workspace.folder) == ["file", "taken"]
    assert names(bare_workspace.folder / "taken") == []


WITHOUT_LITDATA = """
import sys
from importlib.machinery import PathFinder
from ae_lightning.__main__ import main

found = PathFinder.find_spec
PathFinder.find_spec = lambda name, *rest: None if name == "litdata" else found(name, *rest)
for arguments in (
    ["convert", "--data.name", "digits", "--output", "new"],
    ["fit", "--model", "VAE", "--data.name", "stream", "--data.path", "."],
):
    assert main(arguments) == 2
"""


@pytest.mark.slow
def test_without_litdata_the_extra_is_named(tmp_path, program_environment):
    command = [sys.executable, "-c", WITHOUT_LITDATA]
    done = subprocess.run(command, cwd=tmp_path, env=program_environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = "needs the package litdata: pip install 'ae_lightning[stream]'"
    assert done.stderr.splitlines() == [
        f"ae_lightning: error: convert {said}",
        f"ae_lightning: error: data.name stream {said}",
    ]
    assert names(tmp_path) == []


def test_a_file_beside_the_output_is_left_alone(bare_workspace):
    beside = bare_workspace.folder / "stored.lock"
    beside.write_text("somebody's own")
    outcome = bare_workspace("convert", "--data.name", "digits", "--output", "stored")
    assert outcome.code == 0, outcome.err
    assert outcome.err == "digits: 1 × 8 × 8; 1,295 train, 143 val, 359 test; 10 classes (0, 1, 2, …)\n"
    assert beside.read_text() == "somebody's own"
    assert names(bare_workspace.folder) == ["stored", "stored.lock"]


@pytest.mark.slow
def test_a_conversion_that_is_killed_leaves_nothing_that_passes_for_whole(
    tmp_path, program_environment, bare_workspace
):
    images = np.zeros((250_000, 28, 28), np.uint8)
    np.savez(tmp_path / "own.npz", x_train=images, x_test=images[:10])
    options = ("convert", "--data.name", "npz", "--data.path", "own.npz", "--output", "stored")
    process = subprocess.Popen([sys.executable, "-m", "ae_lightning", *options], cwd=tmp_path, env=program_environment)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("stored.partial/train/chunk-*")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "stored").exists()
    assert bare_workspace("fit", "--model", "VAE", "--data.name", "stream", "--data.path", "stored.partial").code == 2
    np.savez(tmp_path / "own.npz", x_train=images[:50], x_test=images[:10])
    outcome = bare_workspace(*options)
    assert outcome.code == 0, outcome.err
    assert set(names(tmp_path)) == {"own.npz", "stored"}
    assert DataModule("stream", path="stored").num_samples("train") == 45


def test_two_conversions_to_one_place_do_not_mix(bare_workspace):
    from filelock import FileLock

    with FileLock("stored.partial.lock"):
        outcome = bare_workspace("convert", "--data.name", "digits", "--output", "stored")
    assert outcome.code == 2
    assert "another process converts to stored" in outcome.err


@pytest.mark.parametrize(("text", "wanted"), [("3", 3), ("0", 0), ("003", "003"), ("cat", "cat")])
def test_convert_takes_a_name_of_digits_for_a_name(text, wanted):
    found = parser().parse_args(["--output", "out", "--data.name", "digits", "--data.leave_out_class", text])
    assert getattr(found, "data.leave_out_class") == wanted
