"""A run that is gone on with under other settings: they are what trains and what is recorded, or are refused."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch

from quick_options import JUDGED_QUICKLY

pytestmark = pytest.mark.slow

SGD = ("--model.optimizer", "SGD", "--model.optimizer.lr", "1e-4")

NOTED = """
import json
from pathlib import Path
from lightning.pytorch.callbacks import Callback

class Noted(Callback):
    def on_train_end(self, trainer, pl_module):
        noted = {
            "rates": [optimizer.param_groups[0]["lr"] for optimizer in trainer.optimizers],
            "patience": [callback.patience for callback in trainer.callbacks if hasattr(callback, "patience")],
        }
        Path("noted.json").write_text(json.dumps(noted))
"""


STOPPING = """
trainer:
  callbacks:
    - class_path: EarlyStopping
      init_args: {{monitor: val/loss, patience: {patience}}}
    - class_path: noted.Noted
"""


@pytest.fixture(scope="module")
def finished(open_workspace):
    """A working directory with a run of an epoch that is FINISHED; tests go on in copies of it."""
    with open_workspace() as workspace:
        (workspace.folder / "noted.py").write_text(NOTED)
        (workspace.folder / "stopping.yaml").write_text(STOPPING.format(patience=1))
        outcome = workspace.fit(*SGD, "-c", "stopping.yaml")
        assert outcome.code == 0, outcome.err
    return workspace


@pytest.fixture
def begun(finished, bare_workspace):
    """A copy of the working directory, whose run is the one that it is called for."""
    run_id = finished.run().info.run_id
    shutil.copy(finished.folder / "mlflow.db", bare_workspace.folder)
    shutil.copy(finished.folder / "noted.py", bare_workspace.folder)
    bare_workspace.client.set_tag(
        run_id, "ae_lightning.checkpoints", str(bare_workspace.folder / "checkpoints" / run_id)
    )
    shutil.copytree(finished.folder / "checkpoints", bare_workspace.folder / "checkpoints")
    return bare_workspace


def noted(workspace):
    return json.loads((workspace.folder / "noted.json").read_text())


def go_on(workspace, *options):
    run_id = workspace.run().info.run_id
    return workspace("fit", "--resume", run_id, "--trainer.max_epochs", "2", *options)


def require_untouched(workspace, before):
    after = workspace.run()
    assert after.info.status == "FINISHED"
    assert (after.data.params, after.data.tags, after.data.metrics) == (
        before.data.params,
        before.data.tags,
        before.data.metrics,
    )
    assert after.info.end_time == before.info.end_time


def test_another_rate_is_what_trains_and_what_is_recorded(begun):
    (begun.folder / "patient.yaml").write_text(STOPPING.format(patience=7))
    outcome = go_on(begun, "--model.optimizer.lr", "1e-6", "-c", "patient.yaml")
    assert outcome.code == 0, outcome.err
    assert noted(begun) == {"rates": [1e-6], "patience": [7]}
    run = begun.run()
    assert run.info.status == "FINISHED"
    assert run.data.tags["resumed.model.optimizer.lr"] == "1e-06"
    state = torch.load(begun.checkpoint("last.ckpt"), weights_only=True)
    assert state["optimizer_states"][0]["param_groups"][0]["lr"] == 1e-6
    assert state["hyper_parameters"]["optimizer"]["init_args"]["lr"] == 1e-6


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--data.split_seed", "1"), "data.split_seed: 1 is not allowed with --resume; the run has 0, and samples"),
        (("--data.num_val", "77"), "data.num_val: 77 is not allowed with --resume; the run has None"),
        (("--data.leave_out_class", "3"), "data.leave_out_class: 3 is not allowed with --resume"),
        (("--model.latent_dim", "3"), "its weights do not fit the model"),
        (
            ("--model.scheduler", "OneCycleLR", "--model.scheduler.max_lr", "1", "--model.scheduler.total_steps", "1"),
            "model.scheduler.total_steps: 1 is less than the training's 2 epochs; give 2",
        ),
    ],
)
def test_what_cannot_take_effect_is_refused_before_the_run_is_touched(begun, options, said):
    before = begun.run()
    outcome = go_on(begun, *options)
    assert outcome.code == 2
    (line,) = [line for line in outcome.err.splitlines() if line.startswith("ae_lightning: error: ")]
    assert said in line
    require_untouched(begun, before)


def write_npz(path, seed):
    rng = np.random.default_rng(seed)
    np.savez(
        path, x_train=rng.integers(0, 256, (60, 8, 8), np.uint8), x_test=rng.integers(0, 256, (10, 8, 8), np.uint8)
    )


def test_another_file_under_the_same_name_is_refused_and_the_same_under_another_is_not(workspace):
    write_npz("images.npz", 0)
    images = ("--data.name", "npz", "--data.path", "images.npz", "--data.batch_size", "32")
    assert workspace.fit(*images).code == 0
    before = workspace.run()
    write_npz("images.npz", 1)
    outcome = go_on(workspace)
    assert outcome.code == 2
    assert "data: images no longer holds what the run was trained on" in outcome.err
    write_npz("others.npz", 1)
    outcome = go_on(workspace, "--data.path", "others.npz")
    assert outcome.code == 2
    assert "data.path: 'others.npz' is not allowed with --resume; the run has 'images.npz'" in outcome.err
    require_untouched(workspace, before)
    write_npz("moved.npz", 0)
    outcome = go_on(workspace, "--data.path", "moved.npz")
    assert outcome.code == 0, outcome.err


WARNED = "the model may be judged on samples that it was trained on"


def test_a_new_run_on_other_samples_says_so(begun):
    with pytest.warns(UserWarning, match=WARNED):
        outcome = begun("fit", "--ckpt_path", begun.checkpoint(), "--data.split_seed", "1", "--trainer.max_epochs", "2")
    assert outcome.code == 0, outcome.err
    assert len(begun.runs()) == 2


def test_so_does_a_validation_on_samples_of_another_split(begun):
    with pytest.warns(UserWarning, match=WARNED):
        assert begun("validate", "--ckpt_path", begun.checkpoint(), "--data.split_seed", "1", *JUDGED_QUICKLY).code == 0


def test_a_test_on_the_same_samples_says_nothing(begun, recwarn):
    assert begun("test", "--ckpt_path", begun.checkpoint(), "--data.num_val", "77", *JUDGED_QUICKLY).code == 0
    assert not [warning for warning in recwarn if WARNED in str(warning.message)]


@pytest.mark.parametrize("every", [1, 2])
def test_a_best_checkpoint_stays_the_best_whatever_the_rhythm(workspace, every):
    """The loss falls, and the highest counts as the best: that is the first epoch's."""
    assert workspace.fit(*SGD, "--checkpoint.mode", "max").code == 0
    best = workspace.checkpoint().read_bytes()
    outcome = go_on(workspace, "--checkpoint.every_n_epochs", str(every))
    assert outcome.code == 0, outcome.err
    assert workspace.checkpoint().read_bytes() == best
