"""MLflow's own variables: the run and the experiment that `mlflow run` gives to what it starts."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ae_lightning.errors import TrackingError
from ae_lightning.tracking import MLflowTracker
from ae_lightning.tracking.comparison import RunReader
from ae_lightning.tracking.load_monitor import LoadMonitor
from ae_lightning.tracking.studies import open_study_run
from quick_options import JUDGED_QUICKLY, QUICK


@pytest.fixture
def given(workspace, monkeypatch):
    """A run that somebody has opened for what is to come."""
    client = workspace.client
    run = client.create_run(client.create_experiment("theirs"), run_name="opened", tags={"by": "them"})
    monkeypatch.setenv("MLFLOW_RUN_ID", run.info.run_id)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", run.info.experiment_id)
    return run.info


def opened(**options):
    tracker = MLflowTracker(system_metrics=False, **options)
    tracker.suggest_names("digits", "VAE-2")
    tracker.open()
    tracker.finalize()
    return tracker


def experiment_of(workspace, run):
    return workspace.client.get_experiment(run.info.experiment_id).name


def test_a_training_and_its_judging_fill_the_run_given(given, workspace):
    assert workspace.fit().code == 0
    (run,) = workspace.runs()
    assert run.info.run_id == given.run_id
    assert (run.info.run_name, run.info.status, run.data.tags["by"]) == ("opened", "FINISHED", "them")
    assert {"train/loss", "test/mse"} <= set(run.data.metrics)
    assert len(list(workspace.folder.glob(f"checkpoints/{given.run_id}/best.ckpt"))) == 1
    again = workspace.fit()
    assert again.code == 2
    assert f"MLFLOW_RUN_ID: run {given.run_id} has been trained already; `fit --resume {given.run_id}`" in again.err


def test_a_judging_goes_to_the_run_given_and_not_to_the_checkpoints(workspace, monkeypatch):
    assert workspace.fit().code == 0
    trained = workspace.run().info
    run_id = workspace.client.create_run(trained.experiment_id).info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", run_id)
    checkpoint = workspace.folder / "checkpoints" / trained.run_id / "best.ckpt"
    assert workspace("test", "--ckpt_path", checkpoint, *JUDGED_QUICKLY).code == 0
    assert len(workspace.runs()) == 2
    assert "test/mse" in workspace.client.get_run(run_id).data.metrics
    assert workspace.client.get_run(run_id).info.status == "RUNNING", "whoever opened it closes it"
    assert len(workspace.history(trained.run_id, "test/mse")) == 1


def test_a_run_that_is_named_counts_and_the_other_is_told_of(given, workspace):
    other = workspace.client.create_run(given.experiment_id).info.run_id
    with pytest.warns(UserWarning, match=f"MLFLOW_RUN_ID names run {given.run_id}, which gets nothing: run {other}"):
        assert opened(run_id=other).run_id == other


def test_a_given_run_gets_the_tags_of_the_logger(given, workspace):
    opened(tags={"mine": "too"})
    assert workspace.run().data.tags["mine"] == "too"


@pytest.mark.parametrize("state", ["absent", "deleted"])
def test_a_given_run_that_cannot_be_logged_to_is_named(given, workspace, monkeypatch, state):
    if state == "deleted":
        workspace.client.delete_run(given.run_id)
    else:
        monkeypatch.setenv("MLFLOW_RUN_ID", "0" * 32)
    with pytest.raises(TrackingError, match=r"^MLFLOW_RUN_ID: "):
        opened()
    assert len(workspace.runs()) == 1


def test_the_experiment_given_is_that_of_new_runs(workspace, monkeypatch):
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "named")
    opened()
    assert experiment_of(workspace, workspace.run()) == "named"
    opened(experiment_name="mine")
    assert experiment_of(workspace, workspace.run()) == "mine"
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", workspace.client.get_experiment_by_name("named").experiment_id)
    opened()
    assert experiment_of(workspace, workspace.run()) == "named"


@pytest.mark.parametrize("wrong", ["77", "no number"])
def test_an_experiment_that_is_not_there_is_named(workspace, monkeypatch, wrong):
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", wrong)
    with pytest.raises(TrackingError, match=f"^MLFLOW_EXPERIMENT_ID: MLflow at .* has no experiment '{wrong}'"):
        opened()


def test_an_id_and_a_name_of_two_experiments_are_refused(given, workspace, monkeypatch):
    monkeypatch.delenv("MLFLOW_RUN_ID")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "ours")
    with pytest.raises(TrackingError, match=r"^MLFLOW_EXPERIMENT_ID: 1 is 'theirs', but MLFLOW_EXPERIMENT_NAME says"):
        opened()


def test_a_study_fills_the_run_given_on_its_first_night(given, workspace, monkeypatch):
    night = open_study_run(workspace.uri, "theirs", "some", None)
    night.close()
    (run,) = workspace.runs()
    assert night.run_id == run.info.run_id == given.run_id
    assert run.data.tags["optuna.study"] == "some"
    monkeypatch.setenv("MLFLOW_RUN_ID", "0" * 32)
    with pytest.warns(UserWarning, match="which gets nothing"):
        assert open_study_run(workspace.uri, "theirs", "some", given.run_id).run_id == given.run_id


def test_a_comparison_looks_at_the_experiment_given_and_fills_the_run_given(given, workspace, monkeypatch):
    client = workspace.client
    client.create_run(client.create_experiment("newer"), tags={"ae_lightning.variant": "VAE"})
    mine = client.create_run(given.experiment_id, tags={"ae_lightning.variant": "VAE"}).info.run_id
    client.create_run(client.get_experiment_by_name("newer").experiment_id, tags={"ae_lightning.variant": "VAE"})
    reader = RunReader(workspace.uri)
    assert [run.run_id for run in reader.of_experiment(None)] == [mine]
    (workspace.folder / "table.md").write_text("# Comparison")
    assert reader.keep([workspace.folder / "table.md"], given.experiment_id, [mine], "") == given.run_id
    assert workspace.artifacts(given.run_id) == {"table.md"}
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "")
    assert [run.run_id for run in reader.of_experiment(None)] != [mine]


@pytest.mark.parametrize(("said", "is_measured"), [("false", False), ("true", True), (None, True)])
def test_the_machines_load_is_left_out_where_mlflow_is_told_so(monkeypatch, said, is_measured):
    if said is not None:
        monkeypatch.setenv("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING", said)
    monitor = LoadMonitor(is_wanted=True)
    monitor.start(lambda values, step: None)
    assert any(thread.name == "LoadMonitor" for thread in threading.enumerate()) == is_measured
    monitor.stop()


PROJECT = """
name: autoencoders
entry_points:
  main:
    parameters: {{latent_dim: {{type: int, default: 2}}}}
    command: "{python} -m ae_lightning fit --model VAE --model.latent_dim {{latent_dim}} {options}"
"""


@pytest.mark.slow
def test_a_project_leaves_one_run(workspace, program_environment):
    options = " ".join(QUICK)
    (workspace.folder / "MLproject").write_text(PROJECT.format(python=sys.executable, options=options))
    command = [sys.executable, "-m", "mlflow", "run", ".", "--env-manager", "local", "-P", "latent_dim=3"]
    environment = {**program_environment, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=workspace.folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (run,) = workspace.runs()
    assert run.info.status == "FINISHED"
    assert run.data.params["latent_dim"] == run.data.params["model.latent_dim"] == "3"
    assert run.data.tags["mlflow.project.entryPoint"] == "main"
    assert "test/mse" in run.data.metrics
