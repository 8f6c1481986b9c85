"""Runs as a comparison finds them."""

from __future__ import annotations

import pytest

from ae_lightning.tracking.comparison import VARIANT_TAG, RunReader


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
