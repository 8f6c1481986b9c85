"""Trainings whose loss becomes NaN or infinite: one clear error, and no checkpoint of it."""

from __future__ import annotations

import json

import pytest
import torch

from ae_lightning.checkpoints.loading import load_state
from ae_lightning.data.datamodule import DataModule

# A weight is broken as a gradient would break it: at a step, on a rank, or after the epoch's last loss was computed.
BREAKING = """
import os
import torch
from lightning.pytorch.callbacks import Callback

class Breaking(Callback):
    def __init__(self, step: int, value: float = 0.0, after: bool = False, rank: int = 0):
        self.step, self.value, self.after, self.rank = step, value, after, rank

    def break_at(self, trainer, pl_module):
        if trainer.global_step == self.step and trainer.global_rank == self.rank:
            with torch.no_grad():
                next(pl_module.parameters()).fill_(self.value)

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if not self.after:
            self.break_at(trainer, pl_module)

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if self.after:
            self.break_at(trainer, pl_module)
"""
NUM_STEPS_PER_EPOCH = 11

# Written into the working directory.
MASKED = """
import torch
from ae_lightning import VAE

class Masked(VAE):
    def __init__(self, masked_by: float, **options):
        super().__init__(**options)
        self.register_buffer("mask", torch.full((2, 2), masked_by).triu(1))
"""


@pytest.fixture
def diverging(workspace):
    (workspace.folder / "breaking_loss.py").write_text(BREAKING)

    def fit(step, value=".nan", *more):
        breaking = ("--trainer.callbacks", "breaking_loss.Breaking", "--trainer.callbacks.step", step)
        return workspace.fit(*breaking, "--trainer.callbacks.value", value, "--trainer.max_epochs", "5", *more)

    return fit


def images_of_step(step, batch_size=128):
    """The positions that a step's epoch gives its global batch, computed apart from the training."""
    loader = DataModule(batch_size=batch_size).train_dataloader()
    epoch, position = divmod(step, len(loader))
    loader.sampler.set_epoch(epoch)
    return list(loader)[position].indices.tolist()


# A batch is one step of the Trainer's count, however many optimizers the model has.
@pytest.mark.parametrize("variant", ["VAE", "AdversarialAE"])
def test_a_loss_that_is_no_number_ends_the_training_and_names_the_images(workspace, diverging, variant):
    outcome = diverging(25, ".nan", "--model", variant)
    assert outcome.code == 1
    (line,) = [line for line in outcome.err.splitlines() if "error" in line]
    assert "train/loss is not finite after step 25 (epoch 3)" in line
    assert "Traceback" not in outcome.err
    run = workspace.run()
    assert run.info.status == "FAILED"
    found = json.loads(workspace.artifact(run.info.run_id, "not_finite.json").read_text())
    assert found == {"step": 25, "epoch": 2, "split": "train", "images": sorted(images_of_step(25))}
    assert str(found["images"][0]) in line
    last = workspace.checkpoint("last.ckpt")
    assert str(last.relative_to(workspace.folder)) in line
    assert load_state(last)["epoch"] == 1
    for name in ("last.ckpt", "best.ckpt", "previous.ckpt"):
        weights = load_state(workspace.checkpoint(name))["state_dict"]
        assert all(tensor.isfinite().all() for tensor in weights.values())


def test_an_infinite_loss_before_the_first_checkpoint(workspace, diverging):
    outcome = diverging(0, ".inf")
    assert outcome.code == 1
    assert "after step 0 (epoch 1)" in outcome.err
    assert "there is no checkpoint from before" in outcome.err
    assert not workspace.checkpoint("last.ckpt").exists()
    assert workspace.run().info.status == "FAILED"


def test_weights_that_broke_in_the_last_step_before_a_checkpoint_reach_none(workspace, diverging):
    outcome = diverging(2 * NUM_STEPS_PER_EPOCH, ".nan", "--trainer.callbacks.after", "true")
    assert outcome.code == 1
    assert "weights are not finite after step 21 (epoch 2)" in outcome.err
    assert load_state(workspace.checkpoint("last.ckpt"))["epoch"] == 0
    assert workspace.run().info.status == "FAILED"


@pytest.mark.parametrize(("value", "code"), [("-.inf", 0), (".nan", 1)])
def test_an_infinity_may_be_meant_where_no_step_changes_it(workspace, value, code):
    (workspace.folder / "masking.py").write_text(MASKED)
    outcome = workspace.fit("--model", "masking.Masked", f"--model.masked_by={value}")
    assert outcome.code == code, outcome.err
    if code:
        assert "weights are not finite, before any step" in outcome.err
    else:
        mask = load_state(workspace.checkpoint("last.ckpt"))["state_dict"]["mask"]
        assert mask.tolist() == [[0, float("-inf")], [0, 0]]


def test_weights_that_broke_in_the_last_step_before_a_judged_validation(workspace, diverging):
    judging = ("--evaluation.every_n_epochs", "1", "--evaluation.training_measures", "[mse]")
    outcome = diverging(2 * NUM_STEPS_PER_EPOCH, ".nan", "--trainer.callbacks.after", "true", *judging)
    assert outcome.code == 1
    (line,) = [line for line in outcome.err.splitlines() if "error" in line]
    assert "training codes are not finite" in line
    assert "Traceback" not in outcome.err
    assert load_state(workspace.checkpoint("last.ckpt"))["epoch"] == 0
    assert workspace.run().info.status == "FAILED"


@pytest.mark.slow
def test_a_diverged_run_is_gone_on_with_at_another_rate(workspace, diverging):
    assert diverging(25).code == 1
    run_id = workspace.run().info.run_id
    # What broke it is gone; in life, a lower rate.
    mended = ("--trainer.callbacks", "breaking_loss.Breaking", "--trainer.callbacks.step", "-1")
    outcome = workspace.fit("--resume", run_id, "--trainer.max_epochs", "3", *mended, "--model.optimizer.lr", "1e-4")
    assert outcome.code == 0, outcome.err
    assert [run.info.status for run in workspace.runs()] == ["FINISHED"]
    assert torch.isfinite(torch.tensor(workspace.run().data.metrics["val/loss"]))


@pytest.mark.slow
def test_two_ranks_end_together_with_the_images_of_the_one_that_diverged(training):
    breaking = ("--trainer.callbacks", "breaking_loss.Breaking", "--trainer.callbacks.step", "13")
    rank = ("--trainer.callbacks.value", ".nan", "--trainer.callbacks.rank", "1")
    started = training(
        "--model",
        "VAE",
        *breaking,
        *rank,
        "--trainer.log_every_n_steps",
        "5",
        ranks=2,
        files={"breaking_loss.py": BREAKING},
    )
    started.start()
    assert started.end() == 1, started.err
    (line,) = [line for line in started.err.splitlines() if "error" in line]
    # Batches of 32 on each rank: the second has the images 32 to 63 of the global batch.
    assert "train/loss is not finite after step 13" in line
    run = started.workspace.run()
    assert run.info.status == "FAILED"
    found = json.loads(started.workspace.artifact(run.info.run_id, "not_finite.json").read_text())
    assert found["images"] == sorted(images_of_step(13, batch_size=64)[32:])
    assert not started.workspace.checkpoint("last.ckpt").exists()
