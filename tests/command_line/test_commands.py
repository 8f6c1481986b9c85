"""`fit`, `validate`, `test` and `predict`, and what a checkpoint brings back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from pyarrow import parquet

from quick_options import JUDGED_QUICKLY

UNUSUAL = (
    *("--model.beta", "0.25"),
    *("--model.latent_dim", "3"),
    *("--data.batch_size", "100"),
    *("--data.num_val", "77"),
    *("--data.scaling", "image_max"),
    *("--seed_everything", "5"),
)
"""Model and data that differ from every default."""

DATA_LINE = "digits: 1 × 8 × 8; 1,361 train, 77 val, 359 test; 10 classes (0, 1, 2, …)"


@dataclass(frozen=True)
class Trained:
    workspace: Any
    outcome: Any
    run_id: str

    def checkpoint(self, name="best.ckpt"):
        return self.workspace.folder / "checkpoints" / self.run_id / name

    def logged(self, key):
        return [metric.value for metric in self.workspace.history(self.run_id, key)]

    @property
    def run(self):
        return self.workspace.client.get_run(self.run_id)


@pytest.fixture(scope="module")
def trained(open_workspace):
    with open_workspace() as workspace:
        outcome = workspace.fit(*UNUSUAL)
        assert outcome.code == 0, outcome.err
        yield Trained(workspace, outcome, workspace.run().info.run_id)


@pytest.fixture
def judge(trained):
    """Run a command on the trained checkpoint, in the working directory where it was made."""

    def run(command, *options):
        outcome = trained.workspace(command, "--ckpt_path", trained.checkpoint(), *JUDGED_QUICKLY, *options)
        assert outcome.code == 0, outcome.err
        assert [run.info.run_id for run in trained.workspace.runs()] == [trained.run_id]
        return outcome

    return run


def test_fit_prints_what_runs_its_measures_and_where_to_look(trained):
    outcome = trained.outcome
    assert "VAE, latent_dim 3" in outcome.err
    assert DATA_LINE in outcome.err.splitlines()
    assert "test split" in outcome.out
    assert f"{trained.logged('test/mse')[0]:.4f}" in outcome.out
    assert "`python -m ae_lightning ui`" in outcome.out
    assert trained.run_id in outcome.out


def test_a_checkpoint_alone_restores_model_and_data(trained, judge):
    fitted = trained.logged("test/loss")
    outcome = judge("test")
    assert "latent_dim 3" in outcome.err
    assert DATA_LINE in outcome.err.splitlines()
    again = trained.logged("test/loss")
    assert len(again) == len(fitted) + 1
    # Trained in whatever precision this machine has, and judged in 32 bits.
    assert again[-1] == pytest.approx(fitted[0], rel=1e-2)


def test_an_explicit_option_beats_the_checkpoint(judge):
    outcome = judge("test", "--data.num_val", "50", "--data.batch_size", "10")
    assert "1,388 train, 50 val" in outcome.err


def test_a_later_file_beats_the_checkpoint(judge, tmp_path):
    path = tmp_path / "more.yaml"
    path.write_text("data: {num_val: 60}")
    outcome = judge("test", "-c", path)
    assert "60 val" in outcome.err


def test_validate_judges_the_validation_split(trained, judge):
    outcome = judge("validate")
    assert "val split" in outcome.out
    assert len(trained.logged("val/mse")) == 1


def test_what_is_judged_once_more_has_the_last_word(trained, judge):
    judge("test", "--data.split_seed", "1")
    points = trained.workspace.history(trained.run_id, "test/mse")
    newest = max(points, key=lambda point: point.timestamp)
    assert newest.value != min(points, key=lambda point: point.timestamp).value
    assert trained.run.data.metrics["test/mse"] == newest.value
    assert {point.step for point in points} == {0}
    assert trained.run.data.tags["ae_lightning.test_epoch"] == "1"
    # This process trained nothing: its epoch, 0, is none of the run's.
    assert max(point.step for point in trained.workspace.history(trained.run_id, "epoch")) == 13


@pytest.mark.parametrize("status", ["KILLED", "FAILED", "RUNNING", "FINISHED"])
def test_judging_does_not_change_the_status_of_a_run(trained, judge, status):
    trained.workspace.client.update_run(trained.run_id, status=status)
    judge("test")
    assert trained.run.info.status == status


def test_judging_without_a_checkpoint_makes_a_run_of_its_own(workspace):
    outcome = workspace("test", "--model", "VAE", "--model.network", "Linear", *JUDGED_QUICKLY)
    assert outcome.code == 0, outcome.err
    assert [run.info.status for run in workspace.runs()] == ["FINISHED"]


@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
def test_predict_writes_codes_and_reconstructions_in_the_order_of_the_split(trained, judge, tmp_path, suffix):
    from ae_lightning.checkpoints.loading import load_autoencoder
    from ae_lightning.data import DataModule

    path = tmp_path / f"codes{suffix}"
    judge("predict", "--output", path, "--data.batch_size", "64")
    indices, codes, reconstructions = read(path)
    data = DataModule(num_val=77, scaling="image_max")
    images = data.scale(data.split("test").x)
    model = load_autoencoder(trained.checkpoint()).eval()
    expected = model.encode(images).detach().numpy()
    assert indices.tolist() == list(range(359))
    assert codes.dtype == np.float32
    assert codes == pytest.approx(expected, abs=1e-5)
    assert reconstructions == pytest.approx(model.reconstruct(images).detach().numpy(), abs=1e-5)


def read(path):
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            return arrays["indices"], arrays["codes"], arrays["reconstructions"]
    table = parquet.read_table(path)
    shape = [int(side) for side in table.schema.metadata[b"reconstructions_shape"].split(b",")]
    codes, pixels = (np.array(table[name].to_pylist(), np.float32) for name in ("codes", "reconstructions"))
    return table["indices"].to_numpy(), codes, pixels.reshape(-1, *shape)


def test_predict_of_another_split(judge, tmp_path):
    outcome = judge("predict", "--output", tmp_path / "val.npz", "--data.predict_split", "val")
    assert outcome.err.splitlines().count(DATA_LINE) == 1
    indices, codes, reconstructions = read(tmp_path / "val.npz")
    assert len(indices) == 77
    assert codes.shape == (77, 3)
    assert reconstructions.shape == (77, 1, 8, 8)


def test_fit_goes_on_from_a_checkpoint_with_its_configuration(trained, workspace):
    outcome = workspace("fit", "--ckpt_path", trained.checkpoint("last.ckpt"), "--trainer.max_epochs", "2")
    assert outcome.code == 0, outcome.err
    run = workspace.run()
    assert run.info.run_id != trained.run_id
    assert run.data.params["model.latent_dim"] == "3"
    assert run.data.params["data.num_val"] == "77"
    # 14 batches an epoch, the second alone trained here
    assert [metric.step for metric in workspace.history(run.info.run_id, "val/loss")] == [27]


def test_the_kept_configuration_runs_unchanged(trained, workspace):
    path = trained.workspace.artifact(trained.run_id, "config.yaml")
    outcome = workspace("fit", "-c", path)
    assert outcome.code == 0, outcome.err
    again = workspace.run().data
    assert again.params == trained.run.data.params
    assert again.metrics["test/loss"] == pytest.approx(trained.logged("test/loss")[0], rel=1e-4)


def test_no_tracker_and_no_checkpoints_work(workspace):
    outcome = workspace.fit("--trainer.logger", "false", "--trainer.enable_checkpointing", "false")
    assert outcome.code == 0, outcome.err
    assert workspace.runs() == []
    assert "mse" in outcome.out
