"""The run of a study beside other workers of the same sweep."""

from __future__ import annotations

import socket
from contextlib import closing

import numpy as np
import pytest

from ae_lightning.tracking.leftover_spools import find_spools
from ae_lightning.tracking.mlflow_writes import tags_of
from ae_lightning.tracking.models import register_model
from ae_lightning.tracking.runs import known_params
from ae_lightning.tracking.spool import Origin, Spool
from ae_lightning.tracking.studies import open_study_run
from spool_outages import without_runs


@pytest.fixture
def study_run(workspace):
    return open_study_run(workspace.uri, "sweeps", "some", None)


@pytest.mark.filterwarnings("ignore:MLflow at")
def test_what_a_worker_says_while_another_delivers_for_it_is_not_lost(study_run, workspace):
    root = workspace.folder / "mlruns" / "spool"
    plots = workspace.folder / "figures"
    plots.mkdir()
    (plots / "history.html").write_text("")
    with without_runs(workspace.folder / "mlflow.db"):
        study_run.mark(study_run.run_id, {"order": "first"})
    (spool,) = find_spools(root)
    with closing(spool.hold()):
        study_run.mark(study_run.run_id, {"order": "second"})
        study_run.keep_folder(plots, "plots")
    assert len(find_spools(root)) == 2
    assert study_run.is_ready()
    assert workspace.client.get_run(study_run.run_id).data.tags["order"] == "second"
    assert workspace.artifacts(study_run.run_id, "plots") == {"history.html"}
    assert find_spools(root) == []


def test_a_folder_that_cannot_be_copied_keeps_no_lock(study_run, workspace):
    with pytest.warns(UserWarning, match="does not get plots"):
        study_run.keep_folder(workspace.folder / "absent", "plots")
    assert list((workspace.folder / "mlruns" / "spool").iterdir()) == []


@pytest.mark.filterwarnings("ignore:MLflow at", "ignore:.*is not delivered")
def test_a_night_that_ends_in_an_outage_says_what_waits_where(workspace):
    night = open_study_run(workspace.uri, "sweeps", "some", None, spool="elsewhere here")
    expected = "does not have everything.*sync --spool 'elsewhere here'"
    with without_runs(workspace.folder / "mlflow.db"), pytest.warns(UserWarning, match=expected):
        night.close()
    assert workspace("sync", "--spool", "elsewhere here").code == 0
    assert workspace.client.get_run(night.run_id).info.status == "FINISHED"


def test_what_waits_for_another_store_is_left_to_it(study_run, workspace):
    root = workspace.folder / "mlruns" / "spool"
    other = Spool.new(root, Origin("sqlite:////elsewhere/mlflow.db", "0" * 32))
    other.append([tags_of({"a": "b"})])
    other.close()
    assert study_run.is_ready()
    assert not other.is_empty


@pytest.mark.filterwarnings("ignore:MLflow at")
def test_what_cannot_be_delivered_gates_no_trial(study_run, workspace):
    with without_runs(workspace.folder / "mlflow.db"):
        study_run.mark(study_run.run_id, {"order": "first"})
        assert not study_run.is_ready()
    (spool,) = find_spools(workspace.folder / "mlruns" / "spool")
    # A folder in its place cannot be replaced by the note that the record is delivered.
    (spool.folder / "delivered").mkdir()
    with pytest.warns(UserWarning, match="is not delivered"):
        assert study_run.is_ready()


def test_a_spool_that_cannot_be_read_is_said_and_hides_no_other(study_run, workspace):
    root = workspace.folder / "mlruns" / "spool"
    with pytest.warns(UserWarning, match="takes nothing"), without_runs(workspace.folder / "mlflow.db"):
        study_run.mark(study_run.run_id, {"order": "first"})
    for name, content in (("a.1.1", "{"), ("b.1.1", "{}")):
        (root / name).mkdir()
        (root / name / "origin.json").write_text(content)
    (root / "c.1.1").mkdir()
    (root / "c.1.1" / "origin.json").symlink_to("gone")
    with pytest.warns(UserWarning, match="origin.json cannot be read") as warned:
        assert [spool.origin.run_id for spool in find_spools(root)] == [study_run.run_id]
    assert len(warned) == 2


def test_what_is_edited_between_nights_is_said_beside_what_it_was(study_run, workspace):
    range_of = {"space.model.latent_dim": {"type": "int", "low": 2, "high": 8}}
    study_run.keep_params({"study.trials": 3, **range_of})
    wider = {"space.model.latent_dim": {"type": "int", "low": 2, "high": 16}}
    run = open_study_run(workspace.uri, "sweeps", "some", study_run.run_id)
    run.keep_params({"study.trials": 5, **wider, "space.model.beta": {"type": "float"}})
    data = workspace.client.get_run(run.run_id).data
    assert data.params == {
        "study.trials": "3",
        "space.model.latent_dim": str(range_of["space.model.latent_dim"]),
        "space.model.beta": "{'type': 'float'}",
    }
    assert known_params(data) == {
        **data.params,
        "study.trials": "5",
        **{key: str(value) for key, value in wider.items()},
    }
    run.keep_params({"study.trials": 3})
    assert known_params(workspace.client.get_run(run.run_id).data)["study.trials"] == "3"


def test_a_parameter_that_is_refused_hides_no_other(study_run, workspace):
    params = {"a" * 300: 1, "study.trials": 3}
    with pytest.warns(UserWarning, match="MLflow refuses 1 params, which is left out"):
        study_run.keep_params(params)
    assert workspace.client.get_run(study_run.run_id).data.params == {"study.trials": "3"}
    with pytest.warns(UserWarning, match="MLflow refuses 1 params, which is left out"):
        study_run.add_failed("trial-0", {"optuna.state": "failed"}, params)
    failed = next(run for run in workspace.runs() if run.info.run_name == "trial-0")
    assert (failed.info.status, failed.data.params) == ("FAILED", {"study.trials": "3"})


def test_the_runs_that_a_trial_left_open_are_found(study_run, workspace):
    experiment = workspace.client.get_run(study_run.run_id).info.experiment_id
    opened = {
        trial: workspace.client.create_run(experiment, tags=study_run.tags_for("some", trial)).info.run_id
        for trial in (3, 4)
    }
    assert study_run.open_runs_of(3) == [opened[3]]
    assert open_study_run(workspace.uri, "sweeps", "another", None).open_runs_of(3) == []
    workspace.client.set_terminated(opened[3])
    assert study_run.open_runs_of(3) == []
    with without_runs(workspace.folder / "mlflow.db"), pytest.warns(UserWarning, match="trial 4"):
        assert study_run.open_runs_of(4) == []


def test_a_store_that_is_gone_when_the_best_model_is_to_be_registered_ends_no_night(study_run, workspace):
    example = np.zeros((2, 1, 8, 8), np.float32)
    checkpoint = workspace.folder / "best.ckpt"
    checkpoint.touch()
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        away = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with (
            pytest.warns(UserWarning, match="did not take the best model"),
            study_run.refusal_survived("the best model"),
        ):
            register_model(away, "1", study_run.run_id, checkpoint, example, {"codes": example}, "some")
    study_run.close()
    assert workspace.client.get_run(study_run.run_id).info.status == "FINISHED"
