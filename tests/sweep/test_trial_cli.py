"""A trial's run in MLflow, from its training to its judging."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback

from ae_lightning.checkpoints.loading import load_autoencoder
from ae_lightning.command_line.launch import prepare
from ae_lightning.sweep.trial_cli import run_fit
from quick_options import JUDGED_QUICKLY, QUICK
from small_trainings import whole_split


@pytest.fixture(autouse=True)
def _prepared(workspace):
    """As the command of a sweep is."""
    prepare()


class Looking(Callback):
    """Notes the run's status when the judging begins."""

    def __init__(self, workspace):
        self.workspace, self.statuses = workspace, []

    def setup(self, trainer, pl_module, stage):
        if stage == "validate":
            self.statuses.append(self.workspace.run().info.status)


def test_a_run_is_not_finished_before_it_is_judged(workspace):
    looking = Looking(workspace)
    run_fit(["--model", "VAE", "--model.latent_dim", "2", *QUICK], {}, [looking])
    assert looking.statuses == ["RUNNING"]
    assert workspace.run().info.status == "FINISHED"


def test_what_decides_and_the_kept_sampler_are_of_the_average_that_the_checkpoint_holds(workspace):
    averaged = ["--trainer.callbacks+=EMAWeightAveraging", "--trainer.callbacks.decay", "0.9999"]
    cli = run_fit(["--model", "VanillaAE", *QUICK, *averaged, "--sampler", "KernelDensity"], {}, [])
    best = workspace.checkpoint()
    kept = load_autoencoder(best).eval()
    with torch.no_grad():
        codes = kept.encode(whole_split(cli.datamodule, "train")).numpy()
    np.testing.assert_allclose(cli.model.sampler.state["codes"], codes, atol=1e-5)
    judged = cli.metrics()["val/mse"]
    outcome = workspace("validate", "--ckpt_path", best, *JUDGED_QUICKLY, "--trainer.logger", "false")
    assert outcome.code == 0, outcome.err
    assert f"{judged:.4f}" in outcome.out
