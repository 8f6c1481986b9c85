"""`python -m ae_lightning`: faults that a user can mend become one line and an exit code."""

from __future__ import annotations

import signal
import sys

from ae_lightning import __version__
from ae_lightning.command_line.commands import COMMANDS, overview
from ae_lightning.errors import TrainingError, UserError
from ae_lightning.machine.signals import Interrupted, is_started_by_rank_0
from ae_lightning.plain_text import plain

EXIT_INTERRUPTED = 128 + signal.SIGINT


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Without the program's name; by default those of the process.

    Returns:
        0 after success, 1 for a training that cannot go on, 2 for what the user can mend, 130 after Ctrl-C, 143 after
        SIGTERM.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        return _run(arguments)
    except UserError as error:
        return _tell(error)
    except Interrupted as end:
        return _exit_code(end.exit_code)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0 if end.code is None else 1


def _tell(error: UserError) -> int:
    """Say what is wrong, unless rank 0 says the same; return the exit code."""
    is_shared = isinstance(error, TrainingError) and error.is_on_every_rank
    if not (is_shared and is_started_by_rank_0()):
        sys.stderr.write(f"ae_lightning: error: {plain(' '.join(str(error).split()))}\n")
    return _exit_code(error.exit_code) if is_shared else error.exit_code


def _exit_code(own: int) -> int:
    """Rank 0 takes a rank that it started for broken unless that ends with 0, and answers for all of them."""
    return 0 if is_started_by_rank_0() else own


def _run(arguments: list[str]) -> int:
    first = arguments[0] if arguments else ""
    if first in ("-h", "--help"):
        sys.stdout.write(overview())
        return 0
    if arguments == ["--version"]:
        sys.stdout.write(f"ae_lightning {__version__}\n")
        return 0
    if first in COMMANDS:
        return COMMANDS[first].run(arguments[1:])
    from ae_lightning.command_line.launch import run

    run(arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
