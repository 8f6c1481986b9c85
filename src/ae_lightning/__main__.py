"""`python -m ae_lightning`: faults that a user can mend become one line and an exit code."""

from __future__ import annotations

import errno
import signal
import sys
from pathlib import Path

from ae_lightning import __version__
from ae_lightning.collector import forget_what_is_there, resting
from ae_lightning.command_line.commands import COMMANDS, TRAINER_COMMANDS, overview
from ae_lightning.errors import ConfigError, TrainingError, UserError, unknown_name
from ae_lightning.machine.signals import Interrupted, is_started_by_rank_0
from ae_lightning.machine.standard_streams import keep_standard_streams, output_failure, said_on_terminals
from ae_lightning.plain_text import plain

EXIT_INTERRUPTED = 128 + signal.SIGINT
NO_WORKING_DIRECTORY = "the working directory is not there any more; change to one that is"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Without the program's name; by default those of the process.

    Returns:
        0 after success, 1 for a training that cannot go on, 2 for what the user can mend, 129 after
        SIGHUP, 130 after Ctrl-C, 143 after SIGTERM.
    """
    if arguments is not None:
        return _answer(arguments)
    keep_standard_streams()
    code = _answer(sys.argv[1:], is_program=True)
    failure = output_failure()
    if code == 0 and failure is not None:
        return _tell(ConfigError(f"the standard output cannot be written ({failure.strerror})"))
    return code


def _answer(arguments: list[str], is_program: bool = False) -> int:
    try:
        return _run(arguments, is_program)
    except UserError as error:
        return _tell(error)
    except OSError as error:
        fault = _fault_behind(error)
        if fault is None:
            raise
        return _tell(ConfigError(fault))
    except Interrupted as end:
        return _exit_code(end.exit_code)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0 if end.code is None else 1


def _fault_behind(error: OSError) -> str | None:
    """Say what is wrong where any look at a file fails alike, whatever it was for; None where this one failed alone."""
    if error.errno == errno.ENAMETOOLONG:
        return f"{str(error.filename)[:100]!r}… is too long for the name of a file"
    return None if _has_working_directory() else NO_WORKING_DIRECTORY


def _has_working_directory() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return False
    return True


def _tell(error: UserError) -> int:
    """Say what is wrong, unless rank 0 says the same; return the exit code."""
    is_shared = isinstance(error, TrainingError) and error.is_on_every_rank
    if not (is_shared and is_started_by_rank_0()):
        sys.stderr.write(f"ae_lightning: error: {plain(' '.join(str(error).split()))}\n")
    return _exit_code(error.exit_code) if is_shared else error.exit_code


def _exit_code(own: int) -> int:
    """Rank 0 takes a rank that it started for broken unless that ends with 0, and answers for all of them."""
    return 0 if is_started_by_rank_0() else own


def _run(arguments: list[str], is_program: bool) -> int:
    first = arguments[0] if arguments else ""
    if first in ("-h", "--help"):
        sys.stdout.write(overview())
        return 0
    if arguments == ["--version"]:
        sys.stdout.write(f"ae_lightning {__version__}\n")
        return 0
    if not _has_working_directory():
        raise ConfigError(NO_WORKING_DIRECTORY)
    if first in COMMANDS:
        return COMMANDS[first].run(arguments[1:])
    if first not in TRAINER_COMMANDS:
        raise ConfigError(_unknown_command(first))
    with said_on_terminals("loading PyTorch and Lightning …"), resting():
        from ae_lightning.command_line.launch import run

    if is_program:
        forget_what_is_there()
    run(arguments)
    return 0


def _unknown_command(given: str) -> str:
    names = sorted([*TRAINER_COMMANDS, *COMMANDS])
    is_missing = not given or given.startswith("-")
    return f"a command is missing; Allowed: {', '.join(names)}" if is_missing else unknown_name("command", given, names)


if __name__ == "__main__":
    sys.exit(main())
