"""Which trials of a study count, which is next, and what becomes of those that were cut off.

A trial that was interrupted waits again under its own number with its own parameters. One whose worker died is FAIL
without a reason, and its retry counts in its place. One that more workers than needed began at the same moment is FAIL
without a reason too.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import datetime, timedelta

import optuna
from optuna.storages import fail_stale_trials
from optuna.trial import FrozenTrial, TrialState

from ae_lightning.sweep.heartbeat import heartbeat_interval

REASON = "reason"
KIND = "kind"
WORKER = "worker"
RUN_ID = "mlflow_run_id"
CHECKPOINT = "checkpoint"
CONFIGURATION = "configuration"


def counts(trial: FrozenTrial) -> bool:
    """Whether a trial is one of those that the study is to have."""
    return trial.state != TrialState.FAIL or REASON in trial.user_attrs


def num_done(trials: Sequence[FrozenTrial]) -> int:
    """Return how many trials are complete, pruned, or failed for a reason of their own."""
    return sum(trial.state.is_finished() and counts(trial) for trial in trials)


def is_running(trials: Sequence[FrozenTrial]) -> bool:
    """Whether some worker is at a trial."""
    return any(trial.state == TrialState.RUNNING for trial in trials)


def is_wanted(trials: Sequence[FrozenTrial], limit: int | None) -> bool:
    """Whether a trial waits, or a new one is to be begun.

    Args:
        trials: Of the study.
        limit: How many trials it is to have; None for no limit.
    """
    is_waiting = any(trial.state == TrialState.WAITING for trial in trials)
    return is_waiting or limit is None or sum(map(counts, trials)) < limit


def claim(study: optuna.Study, limit: int | None) -> optuna.Trial | None:
    """Begin a trial: one that waits, else a new one; None where all that are wanted are begun.

    Args:
        study: The study.
        limit: How many trials it is to have; None for no limit.
    """
    trials = study.get_trials(deepcopy=False)
    if not is_wanted(trials, limit):
        return None
    storage = study._storage
    if heartbeat_interval(storage) is not None:
        for trial in trials:
            # Or the heartbeat of its last worker would let it be taken for lost before its new worker's first.
            if trial.state == TrialState.WAITING:
                storage.record_heartbeat(trial._trial_id)  # type: ignore[attr-defined]
    with warnings.catch_warnings():
        # Optuna warns that `ask` starts no heartbeat; `Heartbeat` does.
        warnings.filterwarnings("ignore", message="Heartbeat of storage")
        trial_begun = study.ask()
    if limit is not None and _rank(study, trial_begun.number) >= limit:
        study.tell(trial_begun, state=TrialState.FAIL)
        return None
    return trial_begun


def _rank(study: optuna.Study, number: int) -> int:
    return sum(counts(trial) for trial in study.get_trials(deepcopy=False) if trial.number < number)


def put_back(study: optuna.Study, trial_id: int) -> None:
    """Let a trial that was interrupted wait, to be begun again under its own number with its own parameters."""
    study._storage.set_trial_state_values(trial_id, TrialState.WAITING)


def recover(study: optuna.Study) -> list[FrozenTrial]:
    """Put back what a process that was killed left running; for a study that has one worker, which is this one.

    Returns:
        The trials, as they were left.
    """
    left = study.get_trials(deepcopy=False, states=[TrialState.RUNNING])
    for trial in left:
        put_back(study, trial._trial_id)
    return left


def bury_lost(study: optuna.Study, grace_seconds: float) -> None:
    """Fail the trials whose worker died, and queue each again once; nothing without heartbeats.

    Args:
        study: The study.
        grace_seconds: How long a trial may be without a sign of life.
    """
    if heartbeat_interval(study._storage) is None:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        fail_stale_trials(study)
    grace = timedelta(seconds=grace_seconds)
    for trial in study.get_trials(deepcopy=False, states=[TrialState.RUNNING]):
        # Its worker died, or lost the storage's answer, before its first heartbeat.
        begun = trial.datetime_start
        if WORKER not in trial.user_attrs and begun is not None and datetime.now() - begun > grace:
            study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)


def best_trials(study: optuna.Study) -> list[FrozenTrial]:
    """Return the best trial, or with several objectives the Pareto front; none where no trial keeps the constraints."""
    if len(study.directions) > 1:
        return study.best_trials
    try:
        return [study.best_trial]
    except ValueError:
        return []
