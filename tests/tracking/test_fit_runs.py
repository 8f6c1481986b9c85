"""What a `fit` leaves in MLflow."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import yaml

pytestmark = pytest.mark.slow

# Written into the working directory: notes the run's status in MLflow while it trains.
WATCHING = """
from pathlib import Path
from lightning.pytorch.callbacks import Callback

class Watching(Callback):
    def on_train_epoch_end(self, trainer, pl_module):
        logger = trainer.logger
        with Path("statuses").open("a") as file:
            file.write(logger.experiment.get_run(logger.run_id).info.status + "\\n")
"""


@pytest.fixture(scope="module")
def trained(open_workspace):
    """A run of two epochs in a git checkout, with system metrics every fifth of a second."""
    with open_workspace() as workspace, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.2")
        (workspace.folder / "watching.py").write_text(WATCHING)
        git("init", "--quiet")
        git("add", "watching.py")
        git("-c", "user.name=me", "-c", "user.email=me@localhost", "commit", "--quiet", "--message", "first")
        outcome = workspace.fit(
            *("--trainer.callbacks", "watching.Watching"),
            *("--trainer.max_epochs", "2"),
            *("--trainer.log_every_n_steps", "1"),
        )
        assert outcome.code == 0, outcome.err
        yield workspace


def git(*arguments):
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout.strip()


def text_of(workspace, name):
    return workspace.artifact(workspace.run().info.run_id, name).read_text()


def test_experiment_and_run_are_named_after_data_and_model(trained):
    run = trained.run()
    assert trained.client.get_experiment(run.info.experiment_id).name == "digits"
    assert run.info.run_name == "VAE-2 Linear 2 epochs"


def test_artifacts_lie_below_the_working_directory(trained):
    run = trained.run()
    location = trained.folder / "mlruns" / run.info.experiment_id / run.info.run_id / "artifacts"
    assert (location / "config.yaml").is_file()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model", "VAE"),
        ("model.latent_dim", "2"),
        ("model.network", "Linear"),
        ("model.optimizer", "Adam"),
        ("model.optimizer.lr", "0.001"),
        ("data.name", "digits"),
        ("data.batch_size", "128"),
        ("trainer.max_epochs", "2"),
        ("seed_everything", "0"),
        ("num_parameters", "452"),
    ],
)
def test_parameters_have_the_keys_of_the_command_line(trained, key, value):
    assert trained.run().data.params[key] == value


def test_no_parameter_says_what_its_default_says(trained):
    assert trained.run().data.params.keys() <= {
        *(
            "model",
            "model.latent_dim",
            "model.network",
            "model.beta",
            "model.reconstruction",
            "model.optimizer",
            "model.optimizer.lr",
        ),
        *("data.name", "data.batch_size", "trainer.max_epochs", "seed_everything", "num_parameters", "pca_decodes"),
        *("trainer.precision", "trainer.callbacks", "trainer.log_every_n_steps", "trainer.num_sanity_val_steps"),
        *("trainer.enable_model_summary", "evaluation.every_n_epochs", "evaluation.measures", "evaluation.pictures"),
        "evaluation.pca",
    }


def test_the_run_is_described_with_its_data_and_what_a_person_reads_first(trained):
    run = trained.run()
    note = run.data.tags["mlflow.note.content"]
    assert note.startswith("**VAE-2 Linear 2 epochs**: a VAE of digits (1 × 8 × 8; 1,295 train, 143 val, 359 test).")
    assert f"On the test split (PCA in brackets): mse {run.data.metrics['test/mse']:.4f}." in note
    for row in ("| latent_dim | `2` |", "| max_epochs | `2` |", "| num_parameters | `452` |"):
        assert row in note
    (used,) = run.inputs.dataset_inputs
    assert (used.dataset.name, len(used.dataset.digest)) == ("digits", 8)
    assert json.loads(used.dataset.profile) == {"samples": {"train": 1295, "val": 143, "test": 359}}


def test_runs_that_are_made_alike_are_numbered(workspace):
    for _ in range(3):
        assert workspace.fit().code == 0
    names = [run.info.run_name for run in workspace.runs()]
    assert names == ["VAE-2 Linear 1 epoch #3", "VAE-2 Linear 1 epoch #2", "VAE-2 Linear 1 epoch"]


def test_configuration_summary_and_environment_are_kept(trained):
    config = yaml.safe_load(text_of(trained, "config.yaml"))
    assert config["model"]["init_args"]["latent_dim"] == 2
    summary = text_of(trained, "model_summary.txt")
    assert "encoder" in summary
    assert "[2, 1, 8, 8]" in summary
    environment = json.loads(text_of(trained, "environment.json"))
    assert {"torch", "lightning", "mlflow"} <= environment["packages"].keys()
    assert all(version != "?" for version in environment["packages"].values())


def test_git_commit_is_a_tag(trained):
    commit = subprocess.run(
        ["git", "-C", str(trained.folder), "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    )
    assert trained.run().data.tags["mlflow.source.git.commit"] == commit.stdout.strip()


def test_system_metrics_appear(trained):
    names = {name for name in trained.run().data.metrics if name.startswith("system/")}
    assert "system/cpu_utilization_percentage" in names
    assert any("memory" in name for name in names)


def test_every_step_of_training_is_logged_in_order(trained):
    run_id = trained.run().info.run_id
    for name in ("train/loss", "train/reconstruction", "train/kl"):
        assert [metric.step for metric in trained.history(run_id, name)] == list(range(22))


def test_validation_is_logged_once_an_epoch(trained):
    assert [metric.step for metric in trained.history(trained.run().info.run_id, "val/loss")] == [10, 21]


def test_measures_of_the_test_stand_at_step_0_where_mlflow_draws_bars_and_the_epoch_is_a_tag(trained):
    run_id = trained.run().info.run_id
    for name in ("test/loss", "test/mse"):
        assert [metric.step for metric in trained.history(run_id, name)] == [0]
    assert [metric.step for metric in trained.history(run_id, "epoch")] == list(range(22))
    assert trained.run().data.tags["ae_lightning.test_epoch"] in ("1", "2")


def test_terms_add_up_to_the_loss(trained):
    metrics = trained.run().data.metrics
    for stage in ("train", "val", "test"):
        total = metrics[f"{stage}/reconstruction"] + 64 / 784 * metrics[f"{stage}/kl"]
        assert metrics[f"{stage}/loss"] == pytest.approx(total, rel=1e-3)


def test_the_run_is_running_while_it_trains_and_then_finished(trained):
    assert (trained.folder / "statuses").read_text().split() == ["RUNNING", "RUNNING"]
    assert trained.run().info.status == "FINISHED"
    assert trained.run().info.end_time is not None


def test_a_run_gone_on_with_is_running_again(workspace):
    (workspace.folder / "watching.py").write_text(WATCHING)
    options = ("--trainer.callbacks", "watching.Watching")
    assert workspace.fit(*options).code == 0
    assert workspace("fit", "--resume", workspace.run().info.run_id, "--trainer.max_epochs", "2").code == 0
    assert (workspace.folder / "statuses").read_text().split() == ["RUNNING", "RUNNING"]
    assert workspace.run().info.status == "FINISHED"


def test_a_run_gone_on_with_after_its_last_epoch_logs_its_model_no_second_time(workspace):
    assert workspace.fit().code == 0
    (before,) = workspace.client.search_logged_models([workspace.run().info.experiment_id])
    assert workspace("fit", "--resume", workspace.run().info.run_id).code == 0
    (after,) = workspace.client.search_logged_models([workspace.run().info.experiment_id])
    assert after.model_id == before.model_id
    # Judged alike, it has no second value either.
    assert len(workspace.history(workspace.run().info.run_id, "test/loss")) == 1
    assert len(workspace.run().outputs.model_outputs) == 1


def test_the_logged_model_predicts_what_the_checkpoint_does(trained):
    import mlflow
    import torch

    from ae_lightning.checkpoints.loading import load_autoencoder
    from ae_lightning.data import DataModule

    run = trained.run()
    (logged,) = trained.client.search_logged_models([run.info.experiment_id])
    assert logged.source_run_id == run.info.run_id
    mlflow.set_tracking_uri(trained.uri)
    try:
        loaded = mlflow.pyfunc.load_model(logged.model_uri)
    finally:
        mlflow.set_tracking_uri(None)
    assert loaded.metadata.signature.inputs.inputs[0].shape == (-1, 1, 8, 8)
    assert {output.name for output in loaded.metadata.signature.outputs.inputs} == {"codes", "reconstructions"}
    assert np.asarray(loaded.input_example).shape == (2, 1, 8, 8)
    data = DataModule()
    images = data.scale(data.split("test").x[:7])
    predicted = loaded.predict(images.numpy())
    model = load_autoencoder(trained.checkpoint()).eval()
    with torch.no_grad():
        assert predicted["codes"] == pytest.approx(model.encode(images).numpy(), abs=1e-6)
        assert predicted["reconstructions"] == pytest.approx(model.reconstruct(images).numpy(), abs=1e-6)


def test_the_users_own_names_are_kept(workspace):
    outcome = workspace.fit(
        *("--trainer.logger.experiment_name", "mine"),
        *("--trainer.logger.run_name", "first"),
        *("--trainer.logger.tags", "{purpose: test}"),
    )
    assert outcome.code == 0, outcome.err
    run = workspace.run()
    assert workspace.client.get_experiment(run.info.experiment_id).name == "mine"
    assert run.info.run_name == "first"
    assert run.data.tags["purpose"] == "test"


def test_the_experiment_of_ones_own_file_bears_its_name(workspace):
    pixels = np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8)
    np.savez(workspace.folder / "my_images.npz", x_train=pixels[:50], x_test=pixels[50:])
    outcome = workspace.fit("--data.name", "npz", "--data.path", "my_images.npz")
    assert outcome.code == 0, outcome.err
    assert workspace.client.get_experiment(workspace.run().info.experiment_id).name == "my_images"


def test_the_environments_store_is_looked_up_when_the_run_starts(workspace, tmp_path, monkeypatch):
    other = tmp_path / "elsewhere" / "other.db"
    other.parent.mkdir()
    (workspace.folder / "mlflow.db").rename(other)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{other}")
    outcome = workspace.fit()
    assert outcome.code == 0, outcome.err
    assert not (workspace.folder / "mlflow.db").exists()
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{other}")
    assert len(client.search_runs([client.get_experiment_by_name("digits").experiment_id])) == 1


def test_a_run_leaves_the_environment_as_it_was(workspace):
    before = dict(os.environ)
    assert workspace.fit().code == 0
    changed = {name for name in os.environ.keys() | before.keys() if os.environ.get(name) != before.get(name)}
    assert not changed & {"MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_ID", "MLFLOW_RUN_ID"}


def test_two_directories_in_one_process_keep_their_own_runs(open_workspace):
    with open_workspace() as first:
        assert first.fit().code == 0
    with open_workspace() as second:
        assert second.fit().code == 0
    assert len(first.runs()) == len(second.runs()) == 1
    for workspace in (first, second):
        assert Path(workspace.run().info.artifact_uri).is_relative_to(workspace.folder)


def test_without_a_database_one_is_made_and_nothing_is_said_about_it(bare_workspace, capfd):
    outcome = bare_workspace.fit()
    assert outcome.code == 0, outcome.err
    assert "mlflow.store" not in outcome.err + capfd.readouterr().err
    assert bare_workspace.run().info.status == "FINISHED"
    assert bare_workspace.client.get_experiment(bare_workspace.run().info.experiment_id).name == "digits"


def test_unwritable_artifacts(workspace):
    (workspace.folder / "mlruns").write_text("in the way")
    outcome = workspace.fit()
    assert outcome.code == 2, outcome.err
    assert "ae_lightning: error: MLflow at" in outcome.err
    assert [run.info.status for run in workspace.runs()] in ([], ["FAILED"])


def test_deleted_experiment(workspace):
    workspace.client.delete_experiment(workspace.client.create_experiment("digits"))
    outcome = workspace.fit()
    assert outcome.code == 2
    assert "'digits' is deleted" in outcome.err
    assert "restore" in outcome.err
    assert workspace.runs() == []


def test_what_was_left_to_the_variant_is_recorded_as_what_it_took(workspace):
    """`beta: auto` as its number; the configuration that others train from keeps the word."""
    outcome = workspace.fit("--model.beta", "auto")
    assert outcome.code == 0, outcome.err
    run = workspace.run()
    assert run.data.params["model.beta"] == str(64 / 784)
    assert "beta: auto" in text_of(workspace, "config.yaml")
