"""The logger by itself."""

from __future__ import annotations

import time
from argparse import Namespace
from pathlib import Path

import pytest
from PIL import Image

from ae_lightning.tracking import MLflowTracker, command_line_keys
from ae_lightning.tracking.keys import valid_key
from ae_lightning.tracking.mlflow_writes import MAX_PARAM_LENGTH
from spool_outages import locked


def data_of(tracker):
    return tracker.experiment.get_run(tracker.run_id).data


def test_parameters_are_kept_in_full(tracker):
    tracker.log_hyperparams({"long": "x" * 3000, "longer": "y" * 7000, **{f"key{i}": i for i in range(250)}})
    params = data_of(tracker).params
    assert params["long"] == "x" * 3000
    assert params["longer"] == "y" * MAX_PARAM_LENGTH
    assert {params[f"key{i}"] for i in range(250)} == {str(i) for i in range(250)}


def test_a_changed_parameter_keeps_its_first_value_and_becomes_a_tag(tracker):
    tracker.log_hyperparams({"model": {"beta": 1.0, "latent_dim": 2}})
    tracker.log_hyperparams({"model": {"beta": 4.0, "latent_dim": 2}})
    data = data_of(tracker)
    assert data.params["model.beta"] == "1.0"
    assert data.tags["resumed.model.beta"] == "4.0"
    assert "resumed.model.latent_dim" not in data.tags


def test_parameters_that_mlflow_refuses_by_name(tracker):
    tracker.log_hyperparams(Namespace(**{"a:b*c": 1}))
    assert data_of(tracker).params["a_b_c"] == "1"


def test_keys_are_those_of_the_command_line():
    config = {
        "model": {"class_path": "a.b.VAE", "init_args": {"network": {"class_path": "c.Conv"}, "beta": 2}},
        "trainer": {"callbacks": [1], "logger": None},
    }
    assert command_line_keys(config) == {
        "model": "VAE",
        "model.network": "Conv",
        "model.beta": 2,
        "trainer.callbacks": [1],
        "trainer.logger": None,
    }


@pytest.mark.parametrize("key", ["val/loss", "a.b c-d_1"])
def test_names_that_mlflow_takes_stay(key):
    assert valid_key(key) == key


def test_metrics_arrive_complete_and_in_order(tracker):
    for step in range(3000):
        tracker.log_metrics({"a": float(step), "b": -float(step)}, step)
    run_id, client = tracker.run_id, tracker.experiment
    tracker.finalize()
    for name, sign in (("a", 1), ("b", -1)):
        history = client.get_metric_history(run_id, name)
        assert [(metric.step, metric.value) for metric in history] == [(step, sign * step) for step in range(3000)]


def test_a_picture_that_a_resumed_run_draws_again_takes_the_place_of_the_first(tracker, tmp_path):
    def draw(logger, colour):
        Image.new("RGB", (4, 4), colour).save(tmp_path / "picture.png")
        logger.log_picture(tmp_path / "picture.png", "val/samples", 3)
        logger.finalize()

    draw(tracker, "red")
    resumed = MLflowTracker(run_id=tracker.run_id, system_metrics=False)
    resumed.open()
    draw(resumed, "blue")
    client = resumed.experiment
    names = sorted(file.path for file in client.list_artifacts(tracker.run_id, "images"))
    assert [Path(name).suffix for name in names] == [".webp", ".png"]
    assert all(name.startswith("images/val~samples+step+3+timestamp+") for name in names)
    with Image.open(client.download_artifacts(tracker.run_id, names[1], str(tmp_path))) as shown:
        assert shown.getpixel((0, 0)) == (0, 0, 255)


def test_metrics_that_are_not_finite_are_logged(tracker):
    tracker.log_metrics({"loss": float("nan"), "other": float("inf")}, 0)
    run_id, client = tracker.run_id, tracker.experiment
    tracker.finalize()
    assert client.get_run(run_id).data.metrics["loss"] != client.get_run(run_id).data.metrics["loss"]


def test_logging_a_metric_does_not_wait_for_the_database(tracker, workspace):
    with locked(workspace.folder / "mlflow.db"):
        start = time.perf_counter()
        for step in range(200):
            tracker.log_metrics({"a": float(step)}, step)
        # A single write would wait 20 seconds for the lock.
        assert time.perf_counter() - start < 10


def test_making_a_tracker_touches_no_store(bare_workspace):
    MLflowTracker()
    MLflowTracker(tracking_uri="http://127.0.0.1:9")
    assert list(bare_workspace.folder.iterdir()) == []


@pytest.mark.parametrize(("given", "expected"), [("success", "FINISHED"), ("failed", "FAILED")])
def test_how_a_run_ends(tracker, given, expected):
    client, run_id = tracker.experiment, tracker.run_id
    assert client.get_run(run_id).info.status == "RUNNING"
    tracker.finalize(given)
    assert client.get_run(run_id).info.status == expected


def test_a_run_that_somebody_ended(tracker):
    client, run_id = tracker.experiment, tracker.run_id
    tracker.mark_killed()
    tracker.finalize("failed")
    assert client.get_run(run_id).info.status == "KILLED"


def test_a_run_that_the_store_does_not_have_is_replaced_by_a_new_one(workspace):
    tracker = MLflowTracker(run_id="0" * 32, system_metrics=False)
    with pytest.warns(UserWarning, match="has no run"):
        tracker.open()
    tracker.finalize()
    assert [run.info.run_id for run in workspace.runs()] == [tracker.run_id]
