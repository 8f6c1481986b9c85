"""A run's data, its description, and parameters that it does not say."""

from __future__ import annotations

import pytest

from ae_lightning.tracking import CONFIG_HASH_TAG, DataSetUse, Description, MLflowTracker
from ae_lightning.tracking.leftover_spools import find_spools
from proxies import proxy_of
from spool_outages import without_runs

USE = DataSetUse("digits", "0123abcd", "", [1, 8, 8], {"train": 3, "test": 1})
NOTE = "mlflow.note.content"


def data_of(tracker):
    return tracker.experiment.get_run(tracker.run_id).data


def described_as(tracker):
    return data_of(tracker).tags[NOTE]


def test_a_data_set_is_an_input_of_the_run_once(tracker):
    tracker.describe(USE)
    tracker.describe(USE)
    (used,) = tracker.experiment.get_run(tracker.run_id).inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("digits", "0123abcd")
    assert used.tags[0].value == "train, test"


@pytest.mark.slow
def test_a_server_that_knows_no_data_sets_costs_nothing_else(server, workspace):
    with proxy_of(server.uri) as proxy:
        proxy.refuses = lambda method, path: 404 if path.endswith("/runs/log-inputs") else None
        tracker = MLflowTracker(experiment_name="older", tracking_uri=proxy.uri, system_metrics=False)
        tracker.open()
        tracker.begin()
        tracker.describe(USE, Description("a VAE of digits.", []))
        tracker.finalize()
        assert "a VAE of digits." in described_as(tracker)
        assert tracker.undelivered == []
        assert find_spools(tracker.spool_root) == []


@pytest.mark.filterwarnings("ignore:MLflow at")
def test_what_is_said_while_mlflow_is_away_is_delivered_in_order(tracker, workspace):
    tracker.log_parameters({"model.latent_dim": "2"})
    tracker.begin()
    with without_runs(workspace.folder / "mlflow.db"):
        tracker.describe(USE, Description("begun.", ["model.latent_dim"]))
        tracker.describe(USE, Description("judged.", ["model.latent_dim"]))
        tracker.finalize()
    assert workspace("sync").code == 0
    assert "judged." in described_as(tracker)
    assert "| latent_dim | `2` |" in described_as(tracker)
    assert len(workspace.run().inputs.dataset_inputs) == 1


def test_a_description_of_ones_own_stays(tracker):
    tracker.describe(Description("a VAE.", []))
    tracker.describe(Description("a better VAE.", []))
    assert "a better VAE." in described_as(tracker)
    tracker.experiment.set_tag(tracker.run_id, NOTE, "mine")
    tracker.describe(Description("another.", []))
    assert described_as(tracker) == "mine"


def test_what_a_run_did_not_say_was_its_default_when_it_is_gone_on_with(tracker):
    begun = {"lr": "0.1", "beta": "1.0", "seed": "0"}
    tracker.log_parameters(begun, left_out=["beta", "seed"])
    tracker.set_tags({CONFIG_HASH_TAG: "0"})
    assert data_of(tracker).params == {"lr": "0.1"}
    tracker.log_parameters({"lr": "0.1", "beta": "2.0", "seed": "0"}, left_out=["seed"])
    assert data_of(tracker).params == {"lr": "0.1"}
    assert resumed_in(tracker) == {"resumed.beta": "2.0"}
    tracker.log_parameters({"lr": "0.001", "beta": "1.0", "seed": "0"}, left_out=["lr", "beta", "seed"])
    assert resumed_in(tracker) == {"resumed.lr": "0.001", "resumed.beta": "1.0"}


def resumed_in(tracker):
    return {key: value for key, value in data_of(tracker).tags.items() if key.startswith("resumed.")}
