"""Opening a study: in Optuna's storage, and its run in MLflow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import optuna
from lightning_utilities.core.rank_zero import rank_zero_warn
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from ae_lightning.errors import ConfigError
from ae_lightning.sweep.checking import Surroundings
from ae_lightning.sweep.classes import build_pruner, build_sampler
from ae_lightning.sweep.space import plain
from ae_lightning.sweep.storage import is_sqlite, open_storage, retry_once
from ae_lightning.sweep.study_file import StudyFile
from ae_lightning.sweep.summary import as_parameters
from ae_lightning.sweep.trial_queue import RUN_ID, counts, put_back
from ae_lightning.tracking import gets_credentials
from ae_lightning.tracking.addresses import is_same_store, shown_uri
from ae_lightning.tracking.studies import REASON_TAG, STATE_TAG, StudyRun, open_study_run

PARENT_RUN = "mlflow_run_id"
OBJECTIVES = "objectives"
CONSTRAINTS = "constraints"


def open_study(file: StudyFile, surroundings: Surroundings | None = None) -> optuna.Study:
    """Open a study in Optuna's storage, or create it.

    Args:
        file: The study.
        surroundings: Of the trials that are asked for; None where none is.

    Raises:
        ConfigError: If the storage cannot be used, or holds a study of that name with other objectives.
    """
    on_lost = partial(_lost, surroundings) if surroundings else retry_once
    storage = open_storage(file.storage, file.patience, is_shared=not is_sqlite(file.storage), on_lost_trial=on_lost)
    study = optuna.create_study(
        storage=storage,
        sampler=build_sampler(file.sampler, file.seed),
        pruner=build_pruner(file.pruner),
        study_name=file.name,
        directions=file.directions,
        load_if_exists=True,
    )
    wanted = [StudyDirection[direction.upper()] for direction in file.directions]
    _require_objectives(study, file, study.directions == wanted)
    if OBJECTIVES not in study.user_attrs:
        _begin(study, file)
        # Another machine may have begun a study of that name at the same moment.
        _require_objectives(study, file, True)
    return study


def _require_objectives(study: optuna.Study, file: StudyFile, has_directions: bool) -> None:
    known = study.user_attrs.get(OBJECTIVES)
    if not has_directions or known not in (None, list(file.objectives)):
        raise ConfigError(
            f"name: the storage has a study {file.name!r} with other objectives ({', '.join(known or ['?'])}); "
            "give this one another name"
        )


def agree_on_constraints(study: optuna.Study, file: StudyFile) -> None:
    """Refuse other constraints than earlier trials were judged by, and note what trials are judged by from now on.

    Optuna, whose samplers and best trials go by it, lets a finished trial's judgement be changed no more.

    Raises:
        ConfigError: If there is one.
    """
    wanted = file.model_dump(mode="json", include={"constraints"})["constraints"]
    known = study.user_attrs.get(CONSTRAINTS)
    if known == wanted:
        return
    if known is not None and study.get_trials(deepcopy=False, states=[TrialState.COMPLETE]):
        changed = min(name for name in {**known, **wanted} if known.get(name) != wanted.get(name))
        raise ConfigError(
            f"constraints.{changed}: earlier trials of the study were judged by {known.get(changed, 'no such limit')}, "
            "which Optuna cannot change into what it is now; give the study another name"
        )
    study.set_user_attr(CONSTRAINTS, wanted)


def queue_first(study: optuna.Study, file: StudyFile) -> None:
    """Queue those of the first trials that are not there yet: a study may be given more of them on a later night.

    As many as it may still have: one above `trials` would be begun and given up, and be there then.
    """
    for values in file.first:
        if file.trials is None or sum(map(counts, study.get_trials(deepcopy=False))) < file.trials:
            study.enqueue_trial({key: plain(value) for key, value in values.items()}, skip_if_exists=True)


def _begin(study: optuna.Study, file: StudyFile) -> None:
    """Queue the first trials, once though several machines begin a study, and note what it is about."""
    queue_first(study, file)
    study.set_metric_names(list(file.objectives))
    study.set_user_attr(OBJECTIVES, list(file.objectives))


def _lost(surroundings: Surroundings, study: optuna.Study, trial: FrozenTrial) -> None:
    """Queue a trial whose worker died again, and close its MLflow run, which the worker could not."""
    retry_once(study, trial)
    if PARENT_RUN not in study.user_attrs:
        return
    uri, run_id, experiment_id = study.user_attrs[PARENT_RUN]
    own = surroundings.tracking_uri
    if not is_same_store(uri, own) and gets_credentials(uri):
        # Whoever can write to Optuna's storage does not choose who gets this machine's credentials.
        rank_zero_warn(
            f"trial {trial.number}: its run in MLflow at {shown_uri(uri)!r} stays open: the token or password that is "
            "set for MLflow is for this sweep's store, which is another"
        )
        return
    run = StudyRun(own if is_same_store(uri, own) else uri, run_id, experiment_id, surroundings.spool)
    close_runs(run, trial, {STATE_TAG: "failed", REASON_TAG: "its worker died"}, "FAILED")


def recover_with_runs(study: optuna.Study, run: StudyRun) -> None:
    """Put back what a process that was killed left running, and close its MLflow runs, which that could not.

    Args:
        study: One that has a single worker, which is this one.
        run: The study's MLflow run.
    """
    for trial in study.get_trials(deepcopy=False, states=[TrialState.RUNNING]):
        put_back(study, trial._trial_id)
        close_runs(run, trial, {STATE_TAG: "interrupted", REASON_TAG: "killed"}, "KILLED")


def close_runs(run: StudyRun, trial: FrozenTrial, tags: Mapping[str, str], status: str) -> None:
    """Close the MLflow runs of a trial whose process is gone.

    Args:
        run: The study's MLflow run.
        trial: As its process left it.
        tags: Say what became of it.
        status: Of the runs.
    """
    # A process may die between opening a run and noting it in the trial.
    for run_id in dict.fromkeys([*trial.user_attrs.get(RUN_ID, []), *run.open_runs_of(trial.number)]):
        run.mark(run_id, tags, status)


def open_run(study: optuna.Study, file: StudyFile, surroundings: Surroundings) -> StudyRun:
    """Open the study's MLflow run: that of earlier nights, or a new one.

    Raises:
        TrackingError: If MLflow does not answer.
    """
    known = study.user_attrs.get(PARENT_RUN)
    run = _open_known(known, file, surroundings)
    if study.user_attrs.get(PARENT_RUN) == known:
        study.set_user_attr(PARENT_RUN, [shown_uri(run.tracking_uri), run.run_id, run.experiment_id])
    agreed = study.user_attrs[PARENT_RUN]
    if is_same_store(agreed[0], run.tracking_uri) and agreed[1] != run.run_id:
        # Another machine has opened one at the same moment.
        run.mark(run.run_id, {REASON_TAG: f"another machine had opened {agreed[1]}"}, "KILLED")
        run = _open_known(agreed, file, surroundings)
    run.keep_params(as_parameters(file))
    return run


def _open_known(known: Sequence[str] | None, file: StudyFile, surroundings: Surroundings) -> StudyRun:
    """Open the run that the study has, if that is in the same store, else a new one."""
    uri = surroundings.tracking_uri
    run_id = known[1] if known and is_same_store(known[0], uri) else None
    return open_study_run(uri, surroundings.experiment_name, file.name, run_id, surroundings.spool)
