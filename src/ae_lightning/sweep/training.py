"""What a trial trains: a `fit` from each of its seeds, watched."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import lightning.pytorch as pl
import optuna
import yaml
from lightning.pytorch.callbacks import Callback

from ae_lightning.sweep.checking import fit_arguments
from ae_lightning.sweep.stopping import Stop
from ae_lightning.sweep.study_file import StudyFile
from ae_lightning.sweep.trial_cli import run_fit
from ae_lightning.sweep.trial_queue import CHECKPOINT, CONFIGURATION, RUN_ID
from ae_lightning.sweep.watching import TrialWatch
from ae_lightning.tracking import trackers


def train(
    file: StudyFile,
    seed: int,
    values: dict[str, Any],
    tags: Mapping[str, str],
    stop: Stop,
    trial: optuna.Trial | None,
) -> dict[str, float]:
    """Train and judge as often as a study says.

    Args:
        file: The study.
        seed: Of the first training.
        values: The trial's values by dotted key.
        tags: Of its MLflow runs.
        stop: Says whether the night is over.
        trial: The trial in Optuna; None on every rank but the first, which alone reports and decides.

    Returns:
        The means of all metrics by name.

    Raises:
        TrialPruned: If the pruner ended it.
        SIGTERMException: If the night is over.
        UserError: If the values cannot be used.
    """
    results = []
    for repetition in range(file.seeds):
        is_first = repetition == 0
        is_pruned = file.pruner is not None and is_first
        callbacks: list[Callback] = [TrialWatch(stop, file.watched, pruning_of(trial) if is_pruned else None)]
        if trial is not None:
            callbacks.append(RunNote(trial, is_first=is_first))
        seeded = [f"--seed_everything={seed + repetition}"] if file.seeds > 1 else []
        cli = run_fit([*fit_arguments(file, values), *seeded], tags, callbacks, file.space)
        if trial is not None and is_first:
            trial.set_user_attr(CHECKPOINT, cli.best_checkpoint())
            # What it was trained with: by the time it is published, the study may have been edited.
            trial.set_user_attr(CONFIGURATION, yaml.safe_dump(cli.audible_config(), sort_keys=False))
        results.append(cli.metrics())
    return mean_of(results)


def mean_of(results: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of each metric over trainings from several seeds, of those that all of them have."""
    common = [name for name in results[0] if all(name in result for result in results)]
    return {name: statistics.fmean(result[name] for result in results) for name in common}


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
        self._earlier = [] if is_first else trial.user_attrs.get(RUN_ID, [])

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Note it; the recorder, which comes first, has opened the run."""
        if stage == "fit":
            own = [tracker.run_id for tracker in trackers(trainer)]
            self._trial.set_user_attr(RUN_ID, [*self._earlier, *own])
