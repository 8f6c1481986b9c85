"""A night of `sweep`: the study opened, worked at, shown and closed."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import optuna
from optuna.exceptions import StorageInternalError

from ae_lightning.command_line.launch import prepare
from ae_lightning.errors import ConfigError
from ae_lightning.sweep.checking import Surroundings, check_study
from ae_lightning.sweep.command import Options
from ae_lightning.sweep.open_study import agree_on_constraints, open_run, open_study, recover_with_runs
from ae_lightning.sweep.results import Publisher
from ae_lightning.sweep.space import check_continues
from ae_lightning.sweep.stopping import REASON_OF_SIGNAL, Stop
from ae_lightning.sweep.storage import is_sqlite, sole_sweep
from ae_lightning.sweep.study_file import StudyFile, read_study
from ae_lightning.sweep.summary import TrialProgress, has_improved, summary_line
from ae_lightning.sweep.trial import TrialRunner
from ae_lightning.sweep.trial_queue import best_trials
from ae_lightning.sweep.worker import SweepFailedError, Worker
from ae_lightning.sweep.worker_group import WorkerGroup
from ae_lightning.tracking import tracking_uri_from_environment
from ae_lightning.tracking.studies import StudyRun

EXIT_NO_IMPROVEMENT = 3
EXIT_CODES = {reason: 128 + number for number, reason in REASON_OF_SIGNAL.items()}


def run_sweep(options: Options) -> int:
    """Sweep.

    Args:
        options: Of the command line.

    Returns:
        0 if the best is new, 3 if nothing better was found, 129 after SIGHUP, 130 after Ctrl-C, 143 after SIGTERM.

    Raises:
        UserError: If something is wrong that the user can mend.
    """
    file = read_study(options.study, options.overrides)
    prepare()
    with storage_faults_explained():
        if options.worker is not None:
            found = Surroundings(tracking_uri=tracking_uri_from_environment(), **json.loads(options.worker))
            return work_for_parent(file, found)
        if options.num_workers > 1 and is_sqlite(file.storage):
            raise ConfigError(
                f"--workers: {options.num_workers} workers cannot share {file.storage}: SQLite locks the whole file "
                "for every write, and a worker that waits too long fails; give --storage postgresql+psycopg://…"
            )
        with sole_sweep(file.storage, file.name):
            return sweep(options, file)


def sweep(options: Options, file: StudyFile) -> int:
    """Work at the study until it is done or the night over; return the exit code.

    Raises:
        UserError: If something is wrong that the user can mend.
    """
    stop = Stop(file.timeout)
    with stop.on_signals():
        surroundings = check_study(file, options.num_workers)
        study = open_study(file, surroundings)
        check_continues(file.space, study.get_trials(deepcopy=False))
        agree_on_constraints(study, file)
        earlier = frozenset(trial.number for trial in best_trials(study))
        study_run = open_run(study, file, surroundings)
        publisher = Publisher(study, file, study_run)
        with closing(study_run, stop), TrialProgress(study, file) as progress, publishing(publisher):

            def after_trial(study: optuna.Study) -> None:
                progress.update(study)
                publisher.after_trial()

            if options.num_workers > 1:
                WorkerGroup(options, surroundings, stop).work(lambda: after_trial(study))
            else:
                if is_sqlite(file.storage):
                    recover_with_runs(study, study_run)
                Worker(TrialRunner(study, file, surroundings, study_run, stop), stop, after_trial).work()
    sys.stdout.write(summary_line(study, file, earlier) + "\n")
    if stop.reason in EXIT_CODES:
        return EXIT_CODES[stop.reason]
    return 0 if has_improved(study, earlier) else EXIT_NO_IMPROVEMENT


def work_for_parent(file: StudyFile, surroundings: Surroundings) -> int:
    """Work at a study that another process has checked and opened, and shows; return the exit code."""
    stop = Stop(file.timeout, follows_parent=True)
    with stop.on_signals():
        study = open_study(file, surroundings)
        study_run = open_run(study, file, surroundings)
        Worker(TrialRunner(study, file, surroundings, study_run, stop), stop, lambda study: None).work()
    return EXIT_CODES.get(stop.reason, 0) if stop.reason else 0


@contextmanager
def closing(study_run: StudyRun, stop: Stop) -> Iterator[None]:
    """Close the study's run with the right status."""
    try:
        yield
    except BaseException:
        study_run.close("FAILED")
        raise
    study_run.close("KILLED" if stop.reason in EXIT_CODES else "FINISHED")


@contextmanager
def publishing(publisher: Publisher) -> Iterator[None]:
    """Publish at the end of the night, also of one that trials which fail alike have ended."""
    try:
        yield
    except SweepFailedError:
        # Not registered: that reads the data, which may be what went away. The next night does.
        publisher.publish()
        raise
    publisher.publish()
    publisher.register()


@contextmanager
def storage_faults_explained() -> Iterator[None]:
    """Say in one line that Optuna's storage was gone for too long.

    Raises:
        ConfigError: In place of its StorageInternalError.
    """
    try:
        yield
    except StorageInternalError as error:
        reason = " ".join(str(error.__cause__ or error).split())[:300]
        raise ConfigError(f"storage: it did not answer for too long ({reason}); run the same command again") from error
