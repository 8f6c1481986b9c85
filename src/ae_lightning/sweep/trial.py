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

import optuna
import torch
from lightning.pytorch.utilities.exceptions import SIGTERMException
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from ae_lightning.errors import ConfigError, NotFiniteError, TrackingError, unknown_name
from ae_lightning.sweep.checking import Surroundings
from ae_lightning.sweep.failures import Failure, failure_of
from ae_lightning.sweep.heartbeat import Heartbeat
from ae_lightning.sweep.space import suggest
from ae_lightning.sweep.stopping import Stop
from ae_lightning.sweep.study_file import StudyFile
from ae_lightning.sweep.training import Order, train
from ae_lightning.sweep.trial_process import train_in_own_process
from ae_lightning.sweep.trial_queue import KIND, REASON, RUN_ID, WORKER, put_back
from ae_lightning.sweep.watching import TrialInterrupted, TrialPruned
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
            try:
                trial.set_user_attr(WORKER, f"{socket.gethostname()}:{os.getpid()}")
                return self._run_to_an_end(trial)
            except UpdateFinishedTrialError:
                # Taken for lost while the storage was away: it is finished already, and its retry counts.
                self._mark(trial, "failed", "taken for lost")
                return None
            finally:
                free_memory()

    def _run_to_an_end(self, trial: optuna.Trial) -> FrozenTrial | None:
        try:
            return self._run(trial)
        except (StorageInternalError, UpdateFinishedTrialError):
            raise
        except TrialPruned as end:
            return self._tell(trial, TrialState.PRUNED, "pruned", str(end))
        except (TrialInterrupted, SIGTERMException) as end:
            # Lightning's own, which says nothing, comes where the trial's watch does not listen yet.
            self._put_back(trial, str(end) or "terminated")
            return None
        except TrackingError as error:
            if self.run.is_ready():
                return self._fail(trial, failure_of(error))
            self._put_back(trial, str(error))
            return None
        except Exception as error:
            return self._fail(trial, failure_of(error))
        except BaseException:
            self._put_back(trial, "killed")
            raise

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
        order = Order(
            study=self.file,
            values=dict(values),
            tags=self.run.tags_for(self.file.name, trial.number),
            trial_id=trial._trial_id,
            repetition=repetition,
            seed=self.surroundings.seed + repetition if self.file.seeds > 1 else None,
        )
        if self.surroundings.num_devices > 1:
            return train_in_own_process(order, self.stop)
        return train(order, trial, self.stop)

    def _tell(
        self,
        trial: optuna.Trial,
        state: TrialState,
        word: str,
        reason: str,
        values: Sequence[float] | None = None,
    ) -> FrozenTrial:
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
        # Another process may have noted them.
        run_ids = trial.storage.get_trial_user_attrs(trial._trial_id).get(RUN_ID, [])
        for run_id in run_ids:
            self.run.mark(run_id, tags, RUN_STATUS[word])
        if not run_ids and word == "failed":
            tags |= self.run.tags_for(self.file.name, trial.number)
            self.run.add_failed(f"trial-{trial.number}", tags, trial.params)


def mean_of(results: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of each metric over trainings from several seeds, of those that all of them have."""
    common = [name for name in results[0] if all(name in result for result in results)]
    return {name: statistics.fmean(result[name] for result in results) for name in common}


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
