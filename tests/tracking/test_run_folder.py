"""The folder of a run that MLflow does not keep."""

from __future__ import annotations

import csv

import pytest

from ae_lightning.errors import ConfigError
from ae_lightning.tracking import FolderLogger, new_run_folder


def rows(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        return [(int(step), name, float(value)) for step, name, value in list(csv.reader(file))[1:]]


def test_no_two_runs_get_one_folder(tmp_path):
    # Most of them within a second.
    folders = [new_run_folder(tmp_path / "runs", "VAE-2") for _ in range(20)]
    assert len(set(folders)) == 20
    assert all(folder.is_dir() and folder.name.startswith("VAE-2-2") for folder in folders)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "runs").touch()
    with pytest.raises(ConfigError, match=r"checkpoint.directory: .*runs/VAE-2-.* cannot be made \(Not a directory\)"):
        new_run_folder(tmp_path / "runs", "VAE-2")


def test_making_a_logger_makes_no_folder(tmp_path):
    logger = FolderLogger(tmp_path / "runs", "VAE-2")
    assert logger.save_dir is None
    assert list(tmp_path.iterdir()) == []


def test_steps_that_are_repeated_are_not_written_again(tmp_path):
    first = FolderLogger(tmp_path, "VAE-2")
    for step in range(3):
        first.log_metrics({"a": step / 10, "odd, name": float("nan")}, step)
    first.flush()
    with (first.folder / "metrics.csv").open("a") as file:
        file.write("3,a,0.")
    again = FolderLogger(tmp_path, "VAE-2", first.folder)
    for step in range(1, 5):
        again.log_metrics({"a": step / 10, "new": 1.0}, step)
    found = rows(first.folder)
    assert [(step, value) for step, name, value in found if name == "a"] == [(n, n / 10) for n in range(5)]
    assert [step for step, name, _ in found if name == "new"] == [1, 2, 3, 4]
    assert [step for step, name, _ in found if name == "odd, name"] == [0, 1, 2]
    assert len(list(tmp_path.iterdir())) == 1


def test_a_test_that_comes_out_otherwise_is_written_at_its_step(tmp_path):
    judged = {"test/a": 0.1, "test/b": float("nan"), "test/c": 1e-17}
    first = FolderLogger(tmp_path, "VAE-2")
    first.log_metrics(judged, 11)
    FolderLogger(tmp_path, "VAE-2", first.folder).log_metrics({**judged, "val/a": 2.0}, 11)
    assert rows(first.folder)[3:] == [(11, "val/a", 2.0)]
    FolderLogger(tmp_path, "VAE-2", first.folder).log_metrics({**judged, "test/a": 0.2, "val/a": 3.0}, 11)
    assert rows(first.folder)[4:] == [(11, "test/a", 0.2)]


def test_no_text_takes_the_place_of_another(tmp_path):
    logger = FolderLogger(tmp_path, "VAE-2")
    for text in ("a", "b", "a", "c", "b"):
        logger.log_text(text, "config.yaml")
    kept = {path.name: path.read_text() for path in logger.folder.iterdir()}
    assert kept == {"config.yaml": "a", "config.2.yaml": "b", "config.3.yaml": "c"}
