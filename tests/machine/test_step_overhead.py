"""What is left out of a training step is what nobody asked for: answers, errors and profiles stay what they were."""

from __future__ import annotations

import os

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.trainer.call import _call_callback_hooks

from ae_lightning.callbacks.loss_watch import LossWatch
from ae_lightning.machine.speedups import NoProfiler, answer_at_once_for_gpus, leave_out_empty_hooks
from ae_lightning.networks import Conv
from ae_lightning.spec import DataSpec
from ae_lightning.variants.vanilla import VanillaAE
from quick_options import JUDGED_QUICKLY

BY_LIBRARY = "PYTORCH_NVML_BASED_CUDA_CHECK"


def test_hooks_within_hooks_are_profiled_by_nobody():
    profiler = NoProfiler()
    with profiler.profile("outer"), profiler.profile("inner"):
        pass
    assert profiler.summary() == ""


def test_an_error_passes_through():
    with pytest.raises(KeyError), NoProfiler().profile("hook"):
        raise KeyError


class UsersOwn(Callback):
    """What anybody may write, and call the hooks of."""


def test_lightning_passes_over_hooks_in_which_nothing_is_done():
    watch, users = LossWatch(), UsersOwn()
    leave_out_empty_hooks([watch, users])
    assert watch.on_before_backward is None
    assert watch.on_train_batch_end.__func__ is LossWatch.on_train_batch_end
    assert users.on_before_backward.__func__ is Callback.on_before_backward
    trainer = Trainer(callbacks=[watch], logger=False, enable_checkpointing=False)
    _call_callback_hooks(trainer, "on_before_backward", torch.zeros(()))


def test_the_answer_for_gpus_stays_the_same(monkeypatch):
    monkeypatch.setenv(BY_LIBRARY, "1")
    before = torch.cuda.is_available()
    answer_at_once_for_gpus()
    assert BY_LIBRARY not in os.environ
    assert torch.cuda.is_available() == before


@pytest.mark.parametrize(("accelerator", "is_left"), [("cpu", False), ("cuda", True)])
def test_who_computes_on_the_cpu_searches_for_no_library(monkeypatch, bare_workspace, accelerator, is_left):
    monkeypatch.setenv(BY_LIBRARY, "1")
    bare_workspace("validate", "--model", "VAE", "--trainer.accelerator", accelerator, *JUDGED_QUICKLY)
    assert (BY_LIBRARY in os.environ) == is_left


def test_a_profile_that_is_wanted_is_made(workspace):
    report = ("--trainer.profiler.dirpath", workspace.folder, "--trainer.profiler.filename", "report")
    outcome = workspace.fit("--trainer.profiler", "SimpleProfiler", *report)
    assert outcome.code == 0, outcome.err
    assert "run_training_batch" in (workspace.folder / "fit-report.txt").read_text()


def test_the_model_knows_the_hook_and_its_layers():
    model = VanillaAE(spec=DataSpec((1, 8, 8)), network=Conv(filters=[4]), latent_dim=2)
    model._current_fx_name = "training_step"
    assert model._current_fx_name == "training_step"
    with pytest.raises(TypeError, match="cannot assign"):
        model.encoder = "no layer"
