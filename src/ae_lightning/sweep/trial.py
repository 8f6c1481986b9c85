"""One trial, from its parameters to its values."""

from __future__ import annotations

import gc
import math
import os
import socket
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import lightning.pytorch as pl
import optuna
import torch
from lightning.pytorch.callbacks import Callback
from optuna.exceptions import StorageInternalError
from optuna.trial import FrozenTrial, TrialState

from ae_lightning.errors import ConfigError, unknown_name
from ae_lightning.sweep.checking import Surroundings, fit_arguments
from ae_lightning.sweep.failures import Failure, NotFiniteError, failure_of
from ae_lightning.sweep.heartbeat import Heartbeat
from ae_lightning.sweep.ledger import CHECKPOINT, KIND, REASON, RUN_ID, WORKER, put_back
from ae_lightning.sweep.space import suggest
from ae_lightning.sweep.stopping import Stop
from ae_lightning.sweep.study_file import StudyFile
from ae_lightning.sweep.trial_cli import run_fit
from ae_lightning.sweep.watching import TrialInterrupted, TrialPruned, TrialWatch
from ae_lightning.tracking import trackers
from ae_lightning.tracking.studies import REASON_TAG, STATE_TAG, StudyRun

RUN_STATUS = {"complete": "FINISHED", "pruned": "KILLED", "interrupted": "KILLED", "failed": "FAILED"}


@dataclass(frozen=True)
class TrialRunner:
    """Runs the trials of a study.

    Args:
        study: The study in Optuna.
        file: The study as its YAML describes it.
        surroundings: What all trials share.
        run: The study's MLflow run.
        stop: Says whether the night is over.
    """

    study: optuna.Study
    file: StudyFile
    surroundings: Surroundings
    run: StudyRun
    stop: Stop

    def __call__(self, trial: optuna.Trial) -> FrozenTrial | None:
        """Run a trial that was begun.

        Returns:
            The trial as it ended; None if it was interrupted, and waits again.

        Raises:
            StorageInternalError: If Optuna's storage does not answer.
        """
        with Heartbeat(trial.storage, trial._trial_id):
            trial.set_user_attr(WORKER, f"{socket.gethostname()}:{os.getpid()}")
            try:
                return self._run(trial)
            except StorageInternalError:
                raise
            except TrialPruned as end:
                return self._tell(trial, TrialState.PRUNED, "pruned", str(end))
            except TrialInterrupted as end:
                self._put_back(trial, str(end))
                return None
            except Exception as error:
                return self._fail(trial, failure_of(error))
            except BaseException:
                self._put_back(trial, "killed")
                raise
            finally:
                free_memory()

    def _run(self, trial: optuna.Trial) -> FrozenTrial:
        values = suggest(self.file.space, trial)
        metrics = mean_of([self._fit(trial, values, repetition) for repetition in range(self.file.seeds)])
        for name in self.file.metrics:
            require_finite(name, metrics)
        for name, limit in self.file.constraints.items():
            trial.set_constraint(name, limit.violation(metrics[name]))
        for name in self.file.constraints.keys() - self.file.objectives.keys():
            trial.set_user_attr(name, metrics[name])
        return self._tell(trial, TrialState.COMPLETE, "complete", "", [metrics[name] for name in self.file.objectives])

    def _fit(self, trial: optuna.Trial, values: Mapping[str, Any], repetition: int) -> dict[str, float]:
        def should_prune(value: float, epoch: int) -> bool:
            trial.report(value, epoch)
            return trial.should_prune()

        watched = self.file.pruner is not None and repetition == 0
        watch = TrialWatch(self.stop, self.file.watched, should_prune if watched else None)
        own = fit_arguments(self.file, dict(values))
        if self.file.seeds > 1:
            own.append(f"--seed_everything={self.surroundings.seed + repetition}")
        noted = RunNote(trial, repetition)
        cli = run_fit(own, self.run.tags_for(self.file.name, trial.number), [noted, watch])
        if repetition == 0:
            trial.set_user_attr(CHECKPOINT, cli.best_checkpoint())
        return cli.metrics()

    def _tell(
        self,
        trial: optuna.Trial,
        state: TrialState,
        word: str,
        reason: str,
        values: Sequence[float] | None = None,
    ) -> FrozenTrial:
        # Taken for lost, it is finished already, and its retry counts.
        told = self.study.tell(trial, values, state, skip_if_finished=True)
        self._mark(trial, word, reason)
        return told

    def _fail(self, trial: optuna.Trial, failure: Failure) -> FrozenTrial:
        trial.set_user_attr(REASON, failure.reason)
        trial.set_user_attr(KIND, failure.kind)
        return self._tell(trial, TrialState.FAIL, "failed", failure.reason)

    def _put_back(self, trial: optuna.Trial, reason: str) -> None:
        put_back(self.study, trial._trial_id)
        self._mark(trial, "interrupted", reason)

    def _mark(self, trial: optuna.Trial, word: str, reason: str) -> None:
        tags = {STATE_TAG: word, **({REASON_TAG: reason} if reason else {})}
        run_ids = trial.user_attrs.get(RUN_ID, [])
        for run_id in run_ids:
            self.run.mark(run_id, tags, RUN_STATUS[word])
        if not run_ids and word == "failed":
            tags |= self.run.tags_for(self.file.name, trial.number)
            self.run.add_failed(f"trial-{trial.number}", tags, trial.params)


class RunNote(Callback):
    """Notes in Optuna which MLflow run a trial has, as soon as it is open.

    Args:
        trial: The trial.
        repetition: Which of its trainings this is; the first one forgets the runs of an interrupted try.
    """

    def __init__(self, trial: optuna.Trial, repetition: int) -> None:
        self._trial = trial
        self._is_first = repetition == 0
        self._is_noted = False

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Note it; the recorder, which comes first, has opened the run."""
        if self._is_noted:
            return
        self._is_noted = True
        earlier = [] if self._is_first else self._trial.user_attrs.get(RUN_ID, [])
        self._trial.set_user_attr(RUN_ID, [*earlier, *(tracker.run_id for tracker in trackers(trainer))])


def mean_of(results: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of each metric over trainings from several seeds."""
    return {name: statistics.fmean(result[name] for result in results) for name in results[0]}


def require_finite(name: str, metrics: Mapping[str, float]) -> None:
    """Refuse a metric that is missing or no number.

    Raises:
        ConfigError: If it was not measured.
        NotFiniteError: If it is NaN or infinite.
    """
    if name not in metrics:
        raise ConfigError(unknown_name("objectives", name, metrics))
    if not math.isfinite(metrics[name]):
        raise NotFiniteError(f"{name} is {metrics[name]}")


def free_memory() -> None:
    """Give back what a trial left, so that the next one has all the memory there is."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
