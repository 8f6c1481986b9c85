"""Run what of the experiments has not been run yet; ended at any moment, it goes on where it stopped."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence

from rich.console import Console

from ae_lightning.command_line.resume import RunInUseError, resume_point
from ae_lightning.errors import ConfigError, UserError
from ae_lightning.tracking import tracking_uri_from_environment
from ae_lightning.tracking.comparison import RunReader, TrackedRun
from experiments.patience import run_to_its_end
from experiments.trainings import Training, all_trainings

ENDED_BY_HAND = (130, 143)


def main() -> int:
    """Train what the command line names.

    Returns:
        The exit code.
    """
    trainings = all_trainings()
    groups = list(dict.fromkeys(training.group for training in trainings))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=groups, nargs="+", default=groups, help="groups of trainings (default: all)")
    only = parser.parse_args().only
    try:
        return run_missing([training for training in trainings if training.group in only])
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except KeyboardInterrupt:  # between two trainings
        return 128 + signal.SIGINT


def run_missing(trainings: Sequence[Training]) -> int:
    """Train what has no finished run, one after the other.

    Returns:
        The exit code: 1 if a training failed, 130 or 143 if somebody ended one.
    """
    console = Console(highlight=False)
    failed = []
    for position, training in enumerate(trainings, 1):
        runs = _runs_of(training)
        title = f"{training.group}: {training.name} ({position} of {len(trainings)})"
        if any(run.status == "FINISHED" for run in runs):
            console.print(f"{title}: done before")
            continue
        console.rule(title)
        code = run_to_its_end([sys.executable, "-m", "ae_lightning", "fit", *_arguments(training, runs)])
        if code in ENDED_BY_HAND:
            return code
        if code:
            failed.append(title)
    for title in failed:
        console.print(f"failed: {title}")
    return 1 if failed else 0


def _runs_of(training: Training) -> list[TrackedRun]:
    reader = RunReader(tracking_uri_from_environment())
    try:
        runs = reader.of_experiment(training.group)
    except ConfigError:
        return []
    return [run for run in runs if run.name == training.name]


def _arguments(training: Training, runs: Sequence[TrackedRun]) -> list[str]:
    """Return the arguments of `fit`: from the newest checkpoint, if one was left."""
    logger = "--trainer.logger."
    named = [f"{logger}experiment_name", training.group, f"{logger}run_name", training.name]
    for run in reversed(runs):
        try:
            point = resume_point(tracking_uri_from_environment(), run.run_id)
        except RunInUseError:
            raise
        except ConfigError:
            continue
        point.lock.release()
        return [*training.arguments, *named, "--resume", run.run_id]
    return [*training.arguments, *named]


if __name__ == "__main__":
    sys.exit(main())
