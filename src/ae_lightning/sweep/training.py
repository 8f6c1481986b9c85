"""One training of a trial: a `fit` that is watched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lightning.pytorch as pl
import optuna
import yaml
from lightning.pytorch.callbacks import Callback
from pydantic import BaseModel, ConfigDict

from ae_lightning.sweep.checking import fit_arguments
from ae_lightning.sweep.stopping import Stop
from ae_lightning.sweep.study_file import StudyFile
from ae_lightning.sweep.trial_cli import run_fit
from ae_lightning.sweep.trial_queue import CHECKPOINT, CONFIGURATION, RUN_ID
from ae_lightning.sweep.watching import TrialWatch
from ae_lightning.tracking import trackers


class Order(BaseModel):
    """What is to be trained; it can be handed to another process.

    Attributes:
        study: The study.
        values: The trial's values by dotted key.
        tags: Of its MLflow run.
        trial_id: Of the trial in Optuna's storage.
        repetition: Which of the trial's trainings this is.
        seed: To train from; None for the configuration's own.
    """

    model_config = ConfigDict(frozen=True)

    study: StudyFile
    values: dict[str, Any]
    tags: dict[str, str]
    trial_id: int
    repetition: int
    seed: int | None


def train(order: Order, trial: optuna.Trial | None, stop: Stop) -> dict[str, float]:
    """Train and judge what an order says.

    Args:
        order: The order.
        trial: The trial in Optuna; None on every rank but the first, which alone reports and decides.
        stop: Says whether the night is over.

    Returns:
        Metrics by name.

    Raises:
        TrialEnded: If the trial was pruned or interrupted.
        UserError: If the values cannot be used.
    """
    is_first = order.repetition == 0
    is_pruned = order.study.pruner is not None and is_first
    callbacks: list[Callback] = [TrialWatch(stop, order.study.watched, pruning_of(trial) if is_pruned else None)]
    if trial is not None:
        callbacks.append(RunNote(trial, is_first=is_first))
    arguments = fit_arguments(order.study, order.values)
    if order.seed is not None:
        arguments.append(f"--seed_everything={order.seed}")
    cli = run_fit(arguments, order.tags, callbacks, order.study.space)
    if trial is not None and is_first:
        trial.set_user_attr(CHECKPOINT, cli.best_checkpoint())
        # What it was trained with: by the time it is published, the study may have been edited.
        trial.set_user_attr(CONFIGURATION, yaml.safe_dump(cli.audible_config(), sort_keys=False))
    return cli.metrics()


def pruning_of(trial: optuna.Trial | None) -> Callable[[float, int], bool]:
    """Return what reports a value at a step to the pruner, and says whether it finds the trial hopeless.

    A trial that was interrupted reports again what it has reported, which Optuna keeps: until it is where it was, the
    pruner would judge it by what is still to come.

    Args:
        trial: The trial; None on every rank but the first, which alone reports.
    """
    reported = {} if trial is None else trial.storage.get_trial(trial._trial_id).intermediate_values
    last_step = max(reported, default=0)

    def should_prune(value: float, step: int) -> bool:
        if trial is None:
            return False
        if step not in reported:
            trial.report(value, step)
        return step >= last_step and trial.should_prune()

    return should_prune


class RunNote(Callback):
    """Notes in Optuna which MLflow run a trial has, as soon as it is open.

    Args:
        trial: The trial.
        is_first: Whether this is its first training, which forgets the runs of an interrupted try.
    """

    def __init__(self, trial: optuna.Trial, *, is_first: bool) -> None:
        self._trial = trial
        self._is_first = is_first
        self._is_noted = False

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Note it; the recorder, which comes first, has opened the run."""
        if self._is_noted:
            return
        self._is_noted = True
        earlier = [] if self._is_first else self._trial.user_attrs.get(RUN_ID, [])
        self._trial.set_user_attr(RUN_ID, [*earlier, *(tracker.run_id for tracker in trackers(trainer))])
