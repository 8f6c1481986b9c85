"""One trial, from its parameters to its values."""

from __future__ import annotations

import gc
import math
import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import optuna
import torch
from lightning.pytorch.utilities.exceptions import SIGTERMException
from optuna import TrialPruned
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages._heartbeat import get_heartbeat_thread
from optuna.trial import FrozenTrial, TrialState

from ae_lightning.errors import ConfigError, NotFiniteError, TrackingError, UserError, unknown_name
from ae_lightning.sweep.checking import Surroundings
from ae_lightning.sweep.failures import Failure, failure_of
from ae_lightning.sweep.processes import SECONDS_FOR_A_TRIAL, Task, run_processes
from ae_lightning.sweep.space import suggest
from ae_lightning.sweep.stopping import Stop
from ae_lightning.sweep.study_file import StudyFile
from ae_lightning.sweep.training import train
from ae_lightning.sweep.trial_queue import EXHAUSTED, KIND, REASON, RUN_ID, WORKER, counts, put_back
from ae_lightning.tracking.studies import REASON_TAG, STATE_TAG, StudyRun

STOPPED = "`Study.stop`"
"""What Optuna names where a sampler asks for the end of a study."""

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

    def __call__(self, trial: optuna.Trial, *, is_apart: bool = False) -> FrozenTrial | None:
        """Run a trial that was begun, in processes of its own where it takes several devices.

        Args:
            trial: The trial.
            is_apart: Whether this is such a process.

        Returns:
            The trial as it ended; None if it was interrupted, and waits again, or was taken for lost.

        Raises:
            StorageInternalError: If Optuna's storage does not answer.
            ConfigError: If something is wrong that its process finds, such as a storage that does not answer there.
        """
        with get_heartbeat_thread(trial._trial_id, trial.storage):
            try:
                trial.set_user_attr(WORKER, f"{socket.gethostname()}:{os.getpid()}")
                return self._run(trial, is_apart or self.surroundings.num_devices == 1)
            except UpdateFinishedTrialError:
                # Taken for lost while the storage was away: it is finished already, and its retry counts.
                self._mark(trial, "failed", "taken for lost")
                return None
            except (KeyboardInterrupt, SystemExit):
                self._put_back(trial, "killed")
                raise
            finally:
                free_memory()

    def follow(self, trial_id: int) -> None:
        """Train as one of the ranks behind the first; what ends a training ends it on all, and the first one tells."""
        with suppress(Exception, SIGTERMException):
            self._train(self.study._storage.get_trial(trial_id), None)

    def task(self, trial_id: int | None = None) -> Task:
        """Return what a process is to do that works at the study, or runs a trial of it."""
        run = self.run
        return Task(self.file, self.surroundings, run.run_id, run.experiment_id, trial_id)

    def _run(self, trial: optuna.Trial, is_here: bool) -> FrozenTrial | None:
        try:
            suggest(self.file.space, trial)
            if is_here:
                return self._judge(trial, self._train(trial, trial))
            [code] = run_processes(self.task(trial._trial_id), 1, self.stop, SECONDS_FOR_A_TRIAL)
        except (StorageInternalError, UpdateFinishedTrialError):
            raise
        except TrialPruned as end:
            return self._tell(trial, TrialState.PRUNED, "pruned", str(end))
        except SIGTERMException:
            # Another rank, or Lightning where the trial's watch does not listen yet, may have had the signal.
            self._put_back(trial, self.stop.reason or "terminated")
        except TrackingError as error:
            if self.run.is_ready():
                return self._fail(trial, failure_of(error))
            self._put_back(trial, str(error))
        except Exception as error:
            return self._fail(trial, failure_of(error))
        else:
            return self._left_by_process(trial, code)
        return None

    def _left_by_process(self, trial: optuna.Trial, code: int) -> FrozenTrial | None:
        left = trial.storage.get_trial(trial._trial_id)
        if left.state != TrialState.RUNNING:
            return left if left.state.is_finished() and counts(left) else None
        if self.stop.reason is not None:
            # It was asked to end before it listened, or took too long to.
            self._put_back(trial, self.stop.reason)
            return None
        if code == UserError.exit_code:
            self._put_back(trial, "its process could not go on")
            raise ConfigError(f"trial {trial.number}: its process could not go on; what it said stands above")
        reason = f"its processes ended with code {code}"
        return self._fail(trial, Failure(reason, reason))

    def _train(self, known: optuna.Trial | FrozenTrial, trial: optuna.Trial | None) -> dict[str, float]:
        # On every rank: all find the values in the storage.
        tags = self.run.tags_for(self.file.name, known.number)
        return train(self.file, self.surroundings.seed, suggest(self.file.space, known), tags, self.stop, trial)

    def _judge(self, trial: optuna.Trial, metrics: Mapping[str, float]) -> FrozenTrial:
        for name in self.file.metrics:
            require_finite(name, metrics)
        for name, limit in self.file.constraints.items():
            trial.set_constraint(name, limit.violation(metrics[name]))
        for name in self.file.constraints.keys() - self.file.objectives.keys():
            trial.set_user_attr(name, metrics[name])
        return self._tell(trial, TrialState.COMPLETE, "complete", "", [metrics[name] for name in self.file.objectives])

    def _tell(
        self,
        trial: optuna.Trial,
        state: TrialState,
        word: str,
        reason: str,
        values: Sequence[float] | None = None,
    ) -> FrozenTrial:
        try:
            trial.study.tell(trial, values, state, skip_if_finished=True)
        except RuntimeError as error:
            # The trial is told; a sampler that has nothing left to try wants to end a loop of Optuna's.
            if STOPPED not in str(error):
                raise
            self.study.set_user_attr(EXHAUSTED, self.file.searched)
        self._mark(trial, word, reason)
        return trial.storage.get_trial(trial._trial_id)

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
