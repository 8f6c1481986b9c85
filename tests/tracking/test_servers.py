"""A server in place of a database."""

from __future__ import annotations

import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from ae_lightning.tracking import MLflowTracker
from quick_options import JUDGED_QUICKLY

pytestmark = pytest.mark.slow


@pytest.fixture
def running_server(server):
    """The server, started again afterwards if a test has stopped it."""
    yield server
    if not server.is_running:
        server.start()


@pytest.fixture(scope="module")
def trained(server, open_workspace):
    """A run whose store is the server."""
    with open_workspace() as workspace, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", server.uri)
        outcome = workspace.fit("--evaluation.pictures", "[reconstructions]")
        assert outcome.code == 0, outcome.err
    return outcome


@pytest.fixture
def client(server):
    return MlflowClient(server.uri)


def newest_run(client, experiment="digits"):
    return client.search_runs([client.get_experiment_by_name(experiment).experiment_id])[0]


def test_everything_is_on_the_server(trained, client):
    run = newest_run(client)
    assert run.info.status == "FINISHED"
    assert run.info.artifact_uri.startswith("mlflow-artifacts:")
    assert "test/mse" in run.data.metrics
    assert {"config.yaml", "plots"} <= {found.path for found in client.list_artifacts(run.info.run_id)}
    assert client.search_logged_models([run.info.experiment_id])


def test_what_a_model_was_brought_to_is_gone_with_the_program(trained, client, server, tmp_path, program_environment):
    (model,) = client.search_logged_models([newest_run(client).info.experiment_id])
    script = "import sys; from ae_lightning.tracking import checkpoint_of_model as of; print(of(*sys.argv[1:]).stat())"
    loading = [sys.executable, "-c", script, server.uri, f"models:/{model.model_id}"]
    environment = {**program_environment, "TMPDIR": str(tmp_path), "MLFLOW_TRACKING_URI": server.uri}
    done = subprocess.run(loading, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("os.stat_result"), done.stderr
    assert list(tmp_path.rglob("*.ckpt")) == []


def test_the_hint_leads_to_the_server(trained, client, server):
    address = f"{server.uri}/#/experiments/"
    assert address in trained.out
    assert newest_run(client).info.run_id in trained.out
    with urllib.request.urlopen(address, timeout=10) as page:
        assert page.status == 200


def test_an_experiment_of_a_server_cannot_be_used_through_its_database(trained, server, workspace):
    # A copy: a client upgrades the database of an older server, which does not start with it again.
    database = shutil.copy(server.database, workspace.folder / "of_a_server.db")
    outcome = workspace.fit("--trainer.logger.tracking_uri", f"sqlite:///{database}")
    assert outcome.code == 2
    (line,) = [line for line in outcome.err.splitlines() if line.startswith("ae_lightning: error:")]
    assert "'digits' was created by a server" in line


def test_a_password_in_the_address_is_kept_nowhere_and_the_checkpoint_leads_to_the_run(client, server, workspace):
    address = server.uri.replace("://", "://me:hunter2@")
    assert workspace.fit("--trainer.logger.tracking_uri", address, "--trainer.logger.experiment_name", "mine").code == 0
    (checkpoint,) = workspace.folder.glob("checkpoints/*/best.ckpt")
    assert b"hunter2" not in checkpoint.read_bytes()
    run = newest_run(client, "mine")
    assert run.data.params["trainer.logger.tracking_uri"] == server.uri
    kept = Path(client.download_artifacts(run.info.run_id, "config.yaml", str(workspace.folder)))
    assert "hunter2" not in kept.read_text()
    num_tests = len(client.get_metric_history(run.info.run_id, "test/mse"))
    outcome = workspace("test", "--ckpt_path", checkpoint, *JUDGED_QUICKLY)
    assert outcome.code == 0, outcome.err
    assert len(client.get_metric_history(run.info.run_id, "test/mse")) == num_tests + 1
    assert workspace.runs() == []


@pytest.mark.usefixtures("without_ticks")
def test_a_server_that_is_away_for_a_while_loses_no_metric(running_server, client, workspace):
    tracker = MLflowTracker(experiment_name="outage", tracking_uri=running_server.uri, system_metrics=False)
    tracker.open()
    for step in range(30):
        if step == 10:
            running_server.stop()
        tracker.log_metrics({"loss": float(step)}, step)
    with pytest.warns(UserWarning, match="takes nothing"):
        tracker._writer._work()
    tracker.log_metrics({"loss": 30.0}, 30)
    running_server.start()
    tracker.finalize()
    history = client.get_metric_history(tracker.run_id, "loss")
    assert [metric.step for metric in history] == list(range(31))
    assert client.get_run(tracker.run_id).info.status == "FINISHED"
    assert not tracker.undelivered


@pytest.mark.filterwarnings("ignore:MLflow")
def test_a_server_that_dies_does_not_end_a_training(running_server, workspace, monkeypatch):
    (workspace.folder / "stopping.py").write_text(STOPPING)
    monkeypatch.setattr("builtins.stop_server", running_server.stop, raising=False)
    outcome = workspace.fit(
        *("--trainer.logger.tracking_uri", running_server.uri),
        *("--trainer.callbacks", "stopping.Stopping"),
        *("--evaluation.pictures", "[reconstructions]"),
    )
    assert outcome.code == 0, outcome.err
    assert "test split" in outcome.out
    assert "`python -m ae_lightning sync` delivers it" in outcome.out
    assert len(list(workspace.folder.glob("checkpoints/*/best.ckpt"))) == 1


# Written into the working directory: the server dies in the middle of the training.
STOPPING = """
import builtins
from lightning.pytorch.callbacks import Callback

class Stopping(Callback):
    def on_train_epoch_end(self, trainer, pl_module):
        builtins.stop_server()
"""
