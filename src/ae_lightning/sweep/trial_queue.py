"""Which trials of a study count, which is next, and what becomes of those that were cut off.

A trial that was interrupted waits again under its own number with its own parameters. One whose worker died is FAIL
without a reason, and its retry counts in its place. One that more workers than needed began at the same moment is FAIL
without a reason too.
"""

from __future__ import annotations

from collections.abc import Sequence

import optuna
from optuna.trial import FrozenTrial, TrialState

from ae_lightning.sweep.classes import build_sampler
from ae_lightning.sweep.study_file import StudyFile

REASON = "reason"
KIND = "kind"
WORKER = "worker"
RUN_ID = "mlflow_run_id"
CHECKPOINT = "checkpoint"
CONFIGURATION = "configuration"
EXHAUSTED = "exhausted"
"""Attribute of the study: what its sampler has tried everything of, as a grid does."""


def counts(trial: FrozenTrial) -> bool:
    """Whether a trial is one of those that the study is to have."""
    return trial.state != TrialState.FAIL or REASON in trial.user_attrs


def num_done(trials: Sequence[FrozenTrial]) -> int:
    """Return how many trials are complete, pruned, or failed for a reason of their own."""
    return sum(trial.state.is_finished() and counts(trial) for trial in trials)


def is_wanted(trials: Sequence[FrozenTrial], limit: int | None) -> bool:
    """Whether a trial waits, or a new one is to be begun.

    Args:
        trials: Of the study.
        limit: How many trials it is to have; None for no limit.
    """
    is_waiting = any(trial.state == TrialState.WAITING for trial in trials)
    return is_waiting or limit is None or sum(map(counts, trials)) < limit


def is_exhausted(study: optuna.Study, file: StudyFile) -> bool:
    """Whether the sampler has tried everything; no longer once it or the space is edited."""
    return bool(study.user_attrs.get(EXHAUSTED) == file.searched)


def claim(study: optuna.Study, file: StudyFile) -> optuna.Trial | None:
    """Begin a trial: one that waits, else a new one; None where other workers have begun all that are wanted meanwhile.

    `Study.ask` would make one that runs: should its worker die there, it would run for good, without a heartbeat.
    """
    if not study.get_trials(deepcopy=False, states=[TrialState.WAITING]):
        study.add_trial(optuna.create_trial(state=TrialState.WAITING))
    trial_id = study._pop_waiting_trial_id()
    if trial_id is None:
        return None
    begun = seeded_trial(study, file, trial_id)
    earlier = [trial for trial in study.get_trials(deepcopy=False) if trial.number < begun.number]
    if file.trials is None or sum(map(counts, earlier)) < file.trials:
        return begun
    study._storage.set_trial_state_values(trial_id, TrialState.FAIL)
    return None


def seeded_trial(study: optuna.Study, file: StudyFile, trial_id: int) -> optuna.Trial:
    """Return a trial that runs, in a view of the study that has the trial's own sampler."""
    sampler = build_sampler(file.sampler, file.seed, study._storage.get_trial(trial_id).number)
    view = optuna.load_study(study_name=study.study_name, storage=study._storage, sampler=sampler, pruner=study.pruner)
    return optuna.Trial(view, trial_id)


def put_back(study: optuna.Study, trial_id: int) -> None:
    """Let a trial that was interrupted wait, to be begun again under its own number with its own parameters."""
    study._storage.set_trial_state_values(trial_id, TrialState.WAITING)


def best_trials(study: optuna.Study) -> list[FrozenTrial]:
    """Return the best trial, or with several objectives the Pareto front; none where no trial keeps the constraints."""
    if len(study.directions) > 1:
        return study.best_trials
    try:
        return [study.best_trial]
    except ValueError:
        return []
