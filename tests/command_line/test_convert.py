"""`convert`, and `fit` on what it wrote."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import fields

import numpy as np
import pytest

from ae_lightning.command_line.convert import parser
from ae_lightning.data import DataModule
from ae_lightning.data.source_settings import SourceSettings
from ae_lightning.data.store.description import StreamDescription
from full_disks import room_for


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
    # what every training leaves
    assert set(names(workspace.folder)) - before <= {"checkpoints", "mlflow.db.lock", "mlruns", "cache"}
    checkpoint = workspace.checkpoint()
    assert workspace("test", "--ckpt_path", checkpoint, "--evaluation.pictures", "[]").code == 0
    outcome = workspace("predict", "--ckpt_path", checkpoint, "--data.predict_split", "train", "--output", "codes.npz")
    assert outcome.code == 0, outcome.err
    codes = np.load("codes.npz")
    assert len(codes["codes"]) == len(set(codes["keys"])) == len(codes["labels"]) == 1338


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
        (("--data.name", "digits", "--output", "~nobody-here/new"), "convert: --output: ~nobody-here/new begins with"),
        (("--data.name", "folder", "--data.path", "~nobody-here", "--output", "new"), "data.path: ~nobody-here begins"),
        (("--data.name", "digits", "--data.root", "~nobody-here", "--output", "new"), "data.root: ~nobody-here begins"),
        (("--data.name", "folder", "--data.splits", "!!bool foo", "--output", "new"), "{train: DIR, test: DIR}, not"),
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


def test_a_file_beside_the_output_is_left_alone(bare_workspace):
    beside = bare_workspace.folder / "stored.lock"
    beside.write_text("somebody's own")
    outcome = bare_workspace("convert", "--data.name", "digits", "--output", "stored")
    assert outcome.code == 0, outcome.err
    assert outcome.err == "digits: 1 × 8 × 8; 1,295 train, 143 val, 359 test; 10 classes (0, 1, 2, …)\n"
    assert beside.read_text() == "somebody's own"
    assert names(bare_workspace.folder) == ["stored", "stored.lock"]


def test_what_a_source_takes_can_be_said(bare_workspace):
    known = {action.dest for action in parser()._actions}
    assert {f"data.{one.name}" for one in fields(SourceSettings)} <= known
    options = ("--data.name", "torchvision", "--data.dataset", "FakeData", "--output", "stored")
    outcome = bare_workspace("convert", *options, "--data.dataset_options", "{size: 30, image_size: [3, 4, 5]}")
    assert outcome.code == 0, outcome.err
    assert outcome.err.startswith("FakeData: 3 × 4 × 5; 25 train, 2 val, 3 test; ")
    outcome = bare_workspace("convert", *options, "--data.dataset_options", "30")
    assert (outcome.code, outcome.err.splitlines()[-1].rpartition(": ")[2]) == (2, "letters}, not 30")


OWN = """
import torch
from ae_lightning.data.source import Source
from ae_lightning.data.splits import DataSet, Split

class Ones(Source):
    name = "ones"

    def read(self, place):
        split = Split(torch.ones(20, 1, 4, 4, dtype=torch.uint8))
        return DataSet(split, split, None)

class Missing(Ones):
    def read(self, place):
        open("measured.csv")
"""


def test_a_source_in_the_working_directory_is_found(bare_workspace):
    """As by the installed program, whose path of modules does not begin with that."""
    (bare_workspace.folder / "own_sources.py").write_text(OWN)
    outcome = bare_workspace("convert", "--data.name", "own_sources.Ones", "--output", "stored")
    assert outcome.out == "18 train, 2 val, 20 test in stored\n", outcome.err
    # What it misses is not taken for the output.
    with pytest.raises(FileNotFoundError, match=r"measured\.csv"):
        bare_workspace("convert", "--data.name", "own_sources.Missing", "--output", "new")
    assert not list(bare_workspace.folder.glob("*new*"))


def test_a_disk_that_is_full_is_told_of_the_output(bare_workspace):
    with room_for(2000):
        outcome = bare_workspace("convert", "--data.name", "digits", "--output", "stored")
    assert (outcome.code, outcome.err.splitlines()[1:]) == (
        2,
        ["ae_lightning: error: convert: --output: stored cannot be written (File too large)"],
    )
    assert names(bare_workspace.folder) == []


@pytest.mark.slow
def test_a_conversion_that_is_killed_leaves_nothing_that_passes_for_whole(
    tmp_path, program_environment, bare_workspace
):
    images = np.zeros((250_000, 28, 28), np.uint8)
    np.savez(tmp_path / "own.npz", x_train=images, x_test=images[:10])
    options = ("convert", "--data.name", "npz", "--data.path", "own.npz", "--output", "stored")
    process = subprocess.Popen([sys.executable, "-m", "ae_lightning", *options], cwd=tmp_path, env=program_environment)
    deadline = time.monotonic() + 200
    while not list(tmp_path.glob(".stored.*.writing/train/x-*")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "stored").exists()
    (left,) = tmp_path.glob(".stored.*.writing")
    assert bare_workspace("fit", "--model", "VAE", "--data.name", "stream", "--data.path", str(left)).code == 2
    np.savez(tmp_path / "own.npz", x_train=images[:50], x_test=images[:10])
    outcome = bare_workspace(*options)
    assert outcome.code == 0, outcome.err
    assert set(names(tmp_path)) == {"own.npz", "stored"}
    assert DataModule("stream", path="stored").num_samples("train") == 45


def test_what_another_conversion_wrote_meanwhile_is_not_overwritten(bare_workspace, monkeypatch):
    written = StreamDescription.write

    def write(self, folder):
        written(self, folder)
        (bare_workspace.folder / "stored").mkdir()

    monkeypatch.setattr(StreamDescription, "write", write)
    outcome = bare_workspace("convert", "--data.name", "digits", "--output", "stored")
    assert outcome.code == 2
    assert "convert: --output: stored cannot be written (stored is there already)" in outcome.err
    assert names(bare_workspace.folder) == ["stored"]
    assert names(bare_workspace.folder / "stored") == []


@pytest.mark.parametrize(("text", "wanted"), [("3", 3), ("0", 0), ("003", "003"), ("cat", "cat")])
def test_convert_takes_a_name_of_digits_for_a_name(text, wanted):
    found = parser().parse_args(["--output", "out", "--data.name", "digits", "--data.leave_out_class", text])
    assert getattr(found, "data.leave_out_class") == wanted
