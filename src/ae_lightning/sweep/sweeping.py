"""A night of `sweep`: the study opened, worked at, shown and closed."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import optuna
from optuna.exceptions import ExperimentalWarning, StorageInternalError

from ae_lightning.command_line.launch import prepare
from ae_lightning.errors import ConfigError
from ae_lightning.machine.signals import is_started_by_rank_0
from ae_lightning.sweep.checking import check_study
from ae_lightning.sweep.command import Options
from ae_lightning.sweep.open_study import agree_on_constraints, open_run, open_study, queue_first, recover_with_runs
from ae_lightning.sweep.processes import SECONDS_FOR_A_WORKER, TASK, run_processes
from ae_lightning.sweep.results import Publisher
from ae_lightning.sweep.space import check_continues
from ae_lightning.sweep.stopping import Stop
from ae_lightning.sweep.storage import is_sqlite, sole_sweep
from ae_lightning.sweep.study_file import StudyFile, read_study
from ae_lightning.sweep.summary import TrialProgress, has_improved, summary_line
from ae_lightning.sweep.trial import TrialRunner
from ae_lightning.sweep.trial_queue import best_trials, seeded_trial
from ae_lightning.sweep.worker import SweepFailedError, work
from ae_lightning.tracking.studies import StudyRun

EXIT_NO_IMPROVEMENT = 3


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
    with prepared():
        if options.num_workers > 1 and is_sqlite(file.storage):
            raise ConfigError(
                f"--workers: {options.num_workers} workers cannot share {file.storage}: SQLite locks the whole file "
                "for every write, and a worker that waits too long fails; give --storage postgresql+psycopg://…"
            )
        with sole_sweep(file.storage, file.name):
            return sweep(options.num_workers, file)


def sweep(num_workers: int, file: StudyFile) -> int:
    """Work at the study until it is done or the night over; return the exit code.

    Raises:
        UserError: If something is wrong that the user can mend.
    """
    stop = Stop(file.timeout)
    with stop.on_signals():
        surroundings = check_study(file, num_workers)
        study = open_study(file, surroundings)
        check_continues(file.space, study.get_trials(deepcopy=False))
        agree_on_constraints(study, file)
        queue_first(study, file)
        earlier = frozenset(trial.number for trial in best_trials(study))
        study_run = open_run(study, file, surroundings)
        publisher = Publisher(study, file, study_run)
        runner = TrialRunner(study, file, surroundings, study_run, stop)
        with TrialProgress(study, file) as progress, concluding(publisher, stop):

            def after_trial() -> None:
                progress.update(study)
                publisher.after_trial()

            if num_workers > 1:
                codes = run_processes(runner.task(), num_workers, stop, SECONDS_FOR_A_WORKER, after_trial)
                after_trial()
                if stop.reason is None and all(codes):
                    raise SweepFailedError(f"all {num_workers} workers failed; what they said stands above")
            else:
                if is_sqlite(file.storage):
                    recover_with_runs(study, study_run)
                work(runner, after_trial)
    sys.stdout.write(summary_line(study, file, earlier) + "\n")
    return stop.exit_code or (0 if has_improved(study, earlier) else EXIT_NO_IMPROVEMENT)


def run_task(text: str) -> int:
    """Do what the sweep that started this process wants; return the exit code.

    Args:
        text: The task as JSON.
    """
    task = TASK.validate_json(text)
    is_rank = is_started_by_rank_0()
    stop = Stop(follows_parent=not is_rank)
    with prepared(), stop.on_signals():
        study = open_study(task.file, task.surroundings)
        found = task.surroundings
        run = StudyRun(found.tracking_uri, task.run_id, task.experiment_id, found.spool)
        runner = TrialRunner(study, task.file, found, run, stop)
        if task.trial_id is None:
            work(runner)
        elif is_rank:
            runner.follow(task.trial_id)
        else:
            runner(seeded_trial(study, task.file, task.trial_id), is_apart=True)
    return stop.exit_code


@contextmanager
def concluding(publisher: Publisher, stop: Stop) -> Iterator[None]:
    """Publish at the end of a night, also of one that trials which fail alike have ended, and close the study's run."""
    status = "FAILED"
    try:
        try:
            yield
        except SweepFailedError:
            # Not registered: that reads the data, which may be what went away. The next night does.
            publisher.publish()
            raise
        publisher.publish()
        publisher.register()
        status = "KILLED" if stop.exit_code else "FINISHED"
    finally:
        publisher.run.close(status)


@contextmanager
def prepared() -> Iterator[None]:
    """Make this process ready for a sweep, and say in one line that Optuna's storage was gone for too long.

    Raises:
        ConfigError: In place of its StorageInternalError.
    """
    prepare()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", category=ExperimentalWarning)
    try:
        yield
    except StorageInternalError as error:
        reason = " ".join(str(error.__cause__ or error).split())[:300]
        raise ConfigError(f"storage: it did not answer for too long ({reason}); run the same command again") from error
