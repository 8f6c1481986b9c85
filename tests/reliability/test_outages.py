"""MLflow's server is killed while a run trains: beside a run in peace, nothing is lost or doubled."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from ae_lightning.tracking import MLflowTracker
from ae_lightning.tracking.leftover_spools import find_spools
from mlflow_servers import serving

# Written into the working directory: what the test wants to happen happens after an epoch.
EPOCHS = """
import builtins
from lightning.pytorch.callbacks import Callback

class Epochs(Callback):
    def on_train_epoch_end(self, trainer, pl_module):
        builtins.after_epoch(trainer.current_epoch)
"""
pytestmark = pytest.mark.slow

FIT = (
    *("--trainer.max_epochs", "5", "--trainer.log_every_n_steps", "1", "--trainer.callbacks", "epochs.Epochs"),
    *("--trainer.logger.system_metrics", "false", "--evaluation.pictures", "[reconstructions, latent_scatter]"),
    *("--evaluation.training_pictures", "[reconstructions]", "--evaluation.draw_every_n_epochs", "1"),
    *("--evaluation.every_n_epochs", "1"),
)
UNLIKE = ("train/images_per_second", "test/images_per_second")
"""Metrics that no two runs share."""


@pytest.fixture(scope="module")
def server(tmp_path_factory, empty_store):
    """A server that keeps its artifacts itself; whoever stops it starts it again."""
    yield from serving(tmp_path_factory.mktemp("server"), empty_store)


@pytest.fixture(autouse=True)
def _running(server):
    """Leave a server for the next test."""
    yield
    if not server.is_running:
        server.start()


@dataclass(frozen=True)
class Found:
    """What MLflow has of a run."""

    status: str
    params: dict
    tags: dict
    metrics: dict
    artifacts: set
    num_models: int
    num_outputs: int
    model_files: set


def files_of(client, run_id, folder=""):
    """Every artifact, the image grid's without the time and the random part of their names."""
    for file in client.list_artifacts(run_id, folder):
        if file.is_dir:
            yield from files_of(client, run_id, file.path)
        else:
            yield re.sub(r"\+timestamp\+\d+\+[-0-9a-f]{36}", "", file.path), file.path


def found(server, run_id):
    """Look at a run; a file that is there twice under two random names fails here."""
    client = MlflowClient(server.uri)
    run = client.get_run(run_id)
    files = [name for name, _ in files_of(client, run_id)]
    assert len(files) == len(set(files))
    models = client.search_logged_models([run.info.experiment_id], filter_string=f"source_run_id = '{run_id}'")
    histories = {key: client.get_metric_history(run_id, key) for key in run.data.metrics}
    return Found(
        status=run.info.status,
        params=run.data.params,
        tags={key for key in run.data.tags if key != "mlflow.source.name"},
        metrics={
            key: [(point.step, point.value if key not in UNLIKE else 0.0) for point in history]
            for key, history in histories.items()
        },
        artifacts=set(files),
        num_models=len(models),
        num_outputs=len(run.outputs.model_outputs),
        model_files={model.status for model in models},
    )


@pytest.fixture
def fit(workspace, server, monkeypatch):
    """Train in this process, with something that happens after each epoch."""
    (workspace.folder / "epochs.py").write_text(EPOCHS)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)

    def train(after_epoch, *options):
        monkeypatch.setattr("builtins.after_epoch", after_epoch, raising=False)
        outcome = workspace.fit(*FIT, *options)
        assert outcome.code == 0, outcome.err
        return outcome

    return train


def newest_run_id(server):
    client = MlflowClient(server.uri)
    experiment = client.get_experiment_by_name("digits")
    return client.search_runs([experiment.experiment_id], order_by=["attributes.start_time DESC"])[0].info.run_id


@pytest.fixture(scope="module")
def undisturbed(server, open_workspace):
    """A run whose server nothing happened to."""
    with open_workspace() as workspace, pytest.MonkeyPatch.context() as patch:
        (workspace.folder / "epochs.py").write_text(EPOCHS)
        patch.setenv("MLFLOW_TRACKING_URI", server.uri)
        patch.setattr("builtins.after_epoch", lambda epoch: None, raising=False)
        outcome = workspace.fit(*FIT)
        assert outcome.code == 0, outcome.err
        assert "sync" not in outcome.out
        assert find_spools(workspace.folder / "mlruns" / "spool") == []
        run = found(server, newest_run_id(server))
    assert run.status == "FINISHED"
    assert run.num_models == run.num_outputs == 1
    assert [step for step, _ in run.metrics["train/loss"]] == list(range(55))
    assert {"plots/reconstructions.png", "plots/latent_scatter.html", "config.yaml"} <= run.artifacts
    return run


@pytest.mark.filterwarnings("ignore:MLflow at")
def test_a_server_that_is_killed_and_comes_back(fit, server, undisturbed, workspace):
    def after_epoch(epoch):
        if epoch == 1:
            server.stop()
        if epoch == 3:
            server.start()

    outcome = fit(after_epoch)
    assert "sync" not in outcome.out
    assert find_spools(workspace.folder / "mlruns" / "spool") == []
    assert found(server, newest_run_id(server)) == undisturbed


# Ends itself once the third record is delivered.
KILLED_SYNC = """
import os, signal
from ae_lightning.__main__ import main
from ae_lightning.tracking.spool import Spool

deliver = Spool.deliver

def deliver_three(self, client):
    for number, is_taken in enumerate(deliver(self, client), 1):
        if number == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        yield is_taken

Spool.deliver = deliver_three
main(["sync"])
"""


@pytest.mark.filterwarnings("ignore:MLflow at")
def test_a_server_that_never_comes_back_and_a_sync_that_is_killed(
    fit, server, undisturbed, workspace, program_environment
):
    outcome = fit(lambda epoch: server.stop() if epoch == 1 else None)
    assert "python -m ae_lightning sync" in outcome.out
    (spool,) = find_spools(workspace.folder / "mlruns" / "spool")
    assert str(spool.folder) in outcome.out
    refused = workspace("sync")
    assert refused.code == 2
    assert len(refused.err.splitlines()) == 1
    num_waiting = spool.num_waiting
    server.start()
    run_id = newest_run_id(server)
    assert found(server, run_id).status == "RUNNING"
    copy = workspace.folder / f"{run_id}.9.9"
    shutil.copytree(spool.folder, copy)

    command = [sys.executable, "-c", KILLED_SYNC]
    ended = subprocess.run(command, cwd=workspace.folder, env=program_environment, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert 0 < spool.num_waiting == num_waiting - 3

    assert "records delivered" in workspace("sync").out
    assert found(server, run_id) == undisturbed
    assert "nothing waits" in workspace("sync").out
    # As if every single delivery had been cut short between MLflow's taking it and the note that it has.
    copy.rename(workspace.folder / "mlruns" / "spool" / copy.name)
    assert f"{num_waiting} records delivered" in workspace("sync").out
    assert found(server, run_id) == undisturbed


def start_sync(workspace, environment):
    command = [sys.executable, "-m", "ae_lightning", "sync"]
    return subprocess.Popen(command, cwd=workspace.folder, env=environment, stdout=subprocess.DEVNULL)


def wait_for(condition, patience=120):
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_two_syncs_at_once_deliver_once(fit, server, undisturbed, workspace, program_environment):
    fit(lambda epoch: server.stop() if epoch == 1 else None)
    server.start()
    delivering = [start_sync(workspace, program_environment) for _ in range(2)]
    assert [one.wait(120) for one in delivering] == [0, 0]
    assert found(server, newest_run_id(server)) == undisturbed


# Trains as `fit` does, its server killed after the second epoch, itself after the fourth.
KILLED = """
import builtins, os, signal, sys, time
sys.path.insert(0, os.environ["TESTS"])
from quick_options import QUICK
from ae_lightning.__main__ import main

def after_epoch(epoch):
    if epoch == 1:
        os.killpg(int(os.environ["SERVER"]), signal.SIGKILL)
    if epoch == 3:
        # The writer puts on disk what the epoch logged, its pictures too; no checkpoint knows of them yet.
        time.sleep(3)
        os.kill(os.getpid(), signal.SIGKILL)

builtins.after_epoch = after_epoch
main(["fit", "--model", "VAE", *QUICK, "--model.latent_dim", "2", *sys.argv[1:]])
"""


@pytest.mark.filterwarnings("ignore:MLflow at")
def test_a_training_that_is_killed_in_an_outage_and_gone_on_with(fit, server, undisturbed, workspace):
    command = [sys.executable, "-c", KILLED, *FIT]
    own = {"SERVER": str(server.process_group), "TESTS": str(Path(__file__).parent.parent)}
    environment = {**os.environ, **own, "MLFLOW_TRACKING_URI": server.uri}
    ended = subprocess.run(command, cwd=workspace.folder, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    (spool,) = find_spools(workspace.folder / "mlruns" / "spool")
    assert spool.num_waiting
    server.stop()
    server.start()
    fit(lambda epoch: None, "--resume", spool.origin.run_id)
    resumed = found(server, spool.origin.run_id)
    # Lightning logs `epoch` beside every other metric, several times at the step that ends one.
    assert set(resumed.metrics.pop("epoch")) == set(undisturbed.metrics["epoch"])
    assert resumed.metrics == {key: history for key, history in undisturbed.metrics.items() if key != "epoch"}
    assert resumed.artifacts == undisturbed.artifacts
    assert (resumed.status, resumed.num_models) == ("FINISHED", 1)


@pytest.mark.filterwarnings("ignore:MLflow at")
def test_a_server_that_hangs_holds_up_nothing_and_doubles_nothing(server, workspace, monkeypatch):
    monkeypatch.setattr("ae_lightning.tracking.writer.SECONDS_BETWEEN_REQUESTS", 3600)
    # As long would every request wait that what is logged made by itself.
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")
    tracker = MLflowTracker(experiment_name="hanging", tracking_uri=server.uri, system_metrics=False)
    tracker.open()
    tracker.log_metrics({"loss": 0.0}, 0)
    tracker.flush()
    server.freeze()
    start = time.perf_counter()
    for step in range(1, 100):
        tracker.log_metrics({"loss": float(step)}, step)
    (workspace.folder / "note.txt").write_text("")
    tracker.log_file(workspace.folder / "note.txt", "notes")
    assert time.perf_counter() - start < 10
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
    tracker.finalize()
    assert time.perf_counter() - start < 15
    assert tracker.undelivered
    # The server still takes the requests that nobody waits for any more.
    server.thaw()
    wait_for(lambda: workspace("sync").code == 0)
    client = MlflowClient(server.uri)
    assert [point.step for point in client.get_metric_history(tracker.run_id, "loss")] == list(range(100))
    assert client.get_run(tracker.run_id).info.status == "FINISHED"
