"""`python -m ae_lightning sweep`: its options, and what they start."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ae_lightning.checks import require_at_least
from ae_lightning.command_line.commands import CommandParser
from ae_lightning.errors import ConfigError, unknown_name
from ae_lightning.named_files import find_file, named_file, said_of

TASK_VARIABLE = "AE_LIGHTNING_SWEEP_TASK"
"""Of the environment: tells a process that a sweep has started what it is to do, in place of the command line."""

EPILOG = (
    "Exit codes: 0 the best is new, 3 nothing better than on earlier nights, 1 five trials in a row failed alike, "
    "2 something in the study is wrong, 129 SIGHUP, 130 Ctrl-C, 143 SIGTERM. Running the same command again goes on "
    "with the study."
)


@dataclass(frozen=True)
class Options:
    """What the command line of `sweep` says.

    Attributes:
        study: The study's YAML.
        overrides: Keys of the study that the command line sets.
        num_workers: How many processes work at the study on this machine.
    """

    study: Path
    overrides: dict[str, Any]
    num_workers: int


def parser() -> CommandParser:
    """Return the parser of the command line."""
    made = CommandParser(
        "sweep",
        description="Search for the best configuration with Optuna, as a study's YAML says.",
        epilog=EPILOG,
    )
    made.add_argument(
        "-c", "--config", required=True, help="the study: a file, or the name of one of ae_lightning's, such as conv"
    )
    made.add_argument("--timeout", help="end after this time, such as 8h or 1h30m, in the middle of a trial if need be")
    made.add_argument("--trials", type=int, help="how many trials the study is to have, over all nights")
    made.add_argument("--storage", help="where Optuna keeps the study; by default sqlite:///optuna.db")
    made.add_argument("--workers", type=int, default=1, help="processes on this machine; more than one want PostgreSQL")
    return made


def parse_options(arguments: list[str]) -> Options:
    """Parse the command line of `sweep`.

    Raises:
        ConfigError: If an option is unknown, missing or wrong.
    """
    first = arguments[0] if arguments else ""
    if named_file("study", first) or Path(first).suffix in (".yaml", ".yml"):
        raise ConfigError(f"sweep: {first!r} belongs to no option; a study stands behind -c: -c {first}")
    given, unknown = parser().parse_known_args(arguments)
    if unknown:
        known = ["--config", "--timeout", "--trials", "--storage", "--workers"]
        raise ConfigError(unknown_name("sweep", unknown[0].split("=")[0], known))
    require_at_least("--workers", given.workers)
    overrides = {"timeout": given.timeout, "trials": given.trials, "storage": given.storage}
    study = find_file("study", given.config)
    sys.stderr.write(said_of("study", [given.config], [str(study)]))
    return Options(study, overrides, given.workers)


def run(arguments: list[str]) -> int:
    """Sweep, or do what the sweep that started this process wants.

    Args:
        arguments: Those behind `sweep`.

    Returns:
        0 if the best is new, 3 if nothing better was found, 129 after SIGHUP, 130 after Ctrl-C, 143 after SIGTERM.

    Raises:
        UserError: If something is wrong that the user can mend.
    """
    # torch and Optuna are imported where --help need not wait for them.
    if not arguments and TASK_VARIABLE in os.environ:
        from ae_lightning.sweep.sweeping import run_task

        return run_task(os.environ[TASK_VARIABLE])
    options = parse_options(arguments)
    from ae_lightning.sweep.sweeping import run_sweep

    return run_sweep(options)
