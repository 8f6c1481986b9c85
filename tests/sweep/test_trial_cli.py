"""A trial's run in MLflow, from its training to its judging."""

from __future__ import annotations

from lightning.pytorch.callbacks import Callback

from ae_lightning.sweep.trial_cli import run_fit
from quick_options import QUICK


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
