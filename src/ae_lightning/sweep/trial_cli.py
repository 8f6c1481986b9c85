"""The command line as a sweep uses it: a trial is a `fit` that leaves the test split alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback

from ae_lightning.callbacks.averaged_weights import stop_averaging
from ae_lightning.callbacks.recording import closing_runs, num_parameters
from ae_lightning.command_line.cli import AutoencoderCLI
from ae_lightning.command_line.launch import open_cli
from ae_lightning.tracking import trackers

SHOWS = ("enable_progress_bar", "enable_model_summary")
"""Settings of the Trainer that a sweep, which shows its own progress, turns off."""

QUIET = tuple(f"--trainer.{name}=false" for name in SHOWS)

UNTRACKED = ("--trainer.logger=false", "--trainer.enable_checkpointing=false", "--evaluation.pictures=[]")
"""Settings of a look that is to leave nothing behind."""


class TrialCLI(AutoencoderCLI):
    """Trains, and judges the best checkpoint on the validation split.

    The signals are left to the sweep: they end more than a trial.

    Args:
        tags: Tags of the MLflow run.
        tried: Keys that the study tries values of: the run says them all, so that its trials can be set side by side.
    """

    answers_signals: ClassVar[bool] = False

    def __init__(self, *args: Any, tags: Mapping[str, str], tried: Collection[str] = (), **kwargs: Any) -> None:
        self.tags = tags
        self.always_recorded = tried
        super().__init__(*args, **kwargs)

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Build the Trainer, its MLflow run tagged as the trial's."""
        trainer = super().instantiate_trainer(**kwargs)
        for tracker in trackers(trainer):
            tracker.tags = {**(tracker.tags or {}), **self.tags}
            # A run that is given is the study's.
            tracker.takes_given_run = False
        return trainer

    def fit(self, **kwargs: Any) -> None:
        """Train and judge."""
        with closing_runs(self.trainer):
            self.trainer.fit(**kwargs)
        stop_averaging(self.trainer)
        self._judge(ckpt_path=self.best_checkpoint() or None, weights_only=True)

    def _judge(self, **weights: Any) -> None:
        self.trainer.validate(self.model, datamodule=self.datamodule, verbose=False, **weights)

    def audible_config(self) -> dict[str, Any]:
        """Return the resolved configuration as a `fit` of its own is to have it: showing its progress."""
        config = self.plain_config()
        config["trainer"].update(dict.fromkeys(SHOWS))
        return config

    def metrics(self) -> dict[str, float]:
        """Return everything that an objective may name."""
        return {
            **{name: float(value) for name, value in self.trainer.callback_metrics.items()},
            "latent_dim": float(self.model.latent_dim),
            "num_parameters": float(num_parameters(self.model)),
        }


class BuildOnlyCLI(TrialCLI):
    """Parses and builds, and does nothing more."""

    def fit(self, **kwargs: Any) -> None:
        """Do nothing."""


class ProbeCLI(TrialCLI):
    """Judges the untrained model, which tells which metrics there are."""

    def fit(self, **kwargs: Any) -> None:
        """Judge."""
        self._judge()


def build_only(arguments: Sequence[str]) -> BuildOnlyCLI:
    """Parse the arguments of a `fit` and build what they say.

    Raises:
        UserError: If they cannot be used.
    """
    return open_cli(partial(BuildOnlyCLI, tags={}), ["fit", *arguments])


def probe_metrics(arguments: Sequence[str]) -> set[str]:
    """Return the names of the metrics that a `fit` with these arguments can be judged by.

    Raises:
        UserError: If they cannot be used.
    """
    quick = ("--evaluation.max_train_images=1000", "--trainer.limit_val_batches=1")
    alone = ("--trainer.devices=1", "--trainer.strategy=auto")
    cli = open_cli(partial(ProbeCLI, tags={}), ["fit", *arguments, *UNTRACKED, *QUIET, *quick, *alone])
    return set(cli.metrics())


def run_fit(
    arguments: Sequence[str], tags: Mapping[str, str], callbacks: Sequence[Callback], tried: Collection[str] = ()
) -> TrialCLI:
    """Train and judge what the arguments of a `fit` say, in a tracked run with tags.

    Args:
        arguments: Without the command.
        tags: Of the run.
        callbacks: What the Trainer gets beside its own.
        tried: Keys that the run says though they have their default.

    Raises:
        UserError: If they cannot be used.
    """
    return open_cli(partial(TrialCLI, tags=tags, tried=tried), ["fit", *arguments, *QUIET], callbacks)
