"""Runs as a comparison finds them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ae_lightning.errors import ConfigError
from ae_lightning.tracking.comparison import VARIANT_TAG, RunReader
from ae_lightning.tracking.mlflow_writes import Target, Write
from ae_lightning.tracking.runs import CONFIG_HASH_TAG, unfinished_runs


@pytest.mark.parametrize("num_runs", [0, 3, 4, 5])
def test_every_run_is_found_however_many_pages_they_fill(workspace, monkeypatch, num_runs):
    monkeypatch.setattr("ae_lightning.tracking.comparison.RUNS_PER_PAGE", 2)
    client = workspace.client
    experiment = client.create_experiment("many")
    made = [
        client.create_run(experiment, start_time=1 + position, tags={VARIANT_TAG: "VAE"}).info.run_id
        for position in range(num_runs)
    ]
    reader = RunReader(workspace.uri)
    assert [run.run_id for run in reader.of_experiment("many")] == made
    assert [run.run_id for run in reader.everywhere("attributes.start_time > 1")] == made[1:]


def test_every_experiment_is_seen_however_many_pages_they_fill(workspace, monkeypatch):
    monkeypatch.setattr("ae_lightning.tracking.runs.EXPERIMENTS_PER_PAGE", 2)
    client, made = workspace.client, []
    for number in range(5):
        tags = {VARIANT_TAG: "VAE", CONFIG_HASH_TAG: "same"}
        experiment = client.create_experiment(f"number {number}")
        made.append(client.create_run(experiment, start_time=5 - number, tags=tags).info.run_id)
    reader = RunReader(workspace.uri)
    assert [run.run_id for run in reader.everywhere("")] == made[::-1]
    assert [run.run_id for run in reader.of_experiment("number 3")] == [made[3]]
    assert [run.run_id for run in reader.of_experiment(None)] == [made[0]], "the newest run's"
    assert [run.run_id for run in unfinished_runs(workspace.uri, "same")] == made
    client.delete_experiment(experiment)
    with pytest.raises(ConfigError, match=r"--experiment: 'number 4' is not known; .*number 0, number 1"):
        reader.of_experiment("number 4")


def test_a_run_named_twice_is_one_run(workspace):
    client = workspace.client
    run_id = client.create_run(client.create_experiment("one"), tags={VARIANT_TAG: "VAE"}).info.run_id
    assert [run.run_id for run in RunReader(workspace.uri).by_id([run_id, run_id])] == [run_id]


def test_a_run_that_was_gone_on_with_has_the_settings_that_it_ended_with(workspace):
    """First longer, then as it had begun: the last word counts."""
    client = workspace.client
    experiment = client.create_experiment("one")
    run_id = client.create_run(experiment, tags={VARIANT_TAG: "VAE"}).info.run_id
    for max_epochs in ("40", "100", "40"):
        Write("params", [("trainer.max_epochs", max_epochs, False)]).deliver(Target(client, run_id, Path()))
        (run,) = RunReader(workspace.uri).of_experiment("one")
        assert run.params["trainer.max_epochs"] == max_epochs
