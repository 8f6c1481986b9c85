"""`python -m ae_lightning`: faults that a user can mend become one line and an exit code."""

from __future__ import annotations

import signal
import sys

from ae_lightning import __version__
from ae_lightning.commands import COMMANDS
from ae_lightning.errors import UserError

EXIT_INTERRUPTED = 128 + signal.SIGINT
EXIT_TERMINATED = 128 + signal.SIGTERM


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Without the program's name; by default those of the process.

    Returns:
        0 after success, 2 for what the user can mend, 130 after Ctrl-C, 143 after SIGTERM.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments == ["--version"]:
        sys.stdout.write(f"ae_lightning {__version__}\n")
        return 0
    try:
        if arguments and arguments[0] in COMMANDS:
            return COMMANDS[arguments[0]].run(arguments[1:])
        from ae_lightning.launch import run

        run(arguments)
    except UserError as error:
        sys.stderr.write(f"ae_lightning: error: {' '.join(str(error).split())}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except SystemExit as end:
        return _exit_code(end)
    return 0


def _exit_code(end: SystemExit) -> int:
    """Tell what ended Lightning, which exits with 1 after Ctrl-C and with 0 after SIGTERM."""
    if isinstance(end.__context__, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    if type(end).__name__ == "SIGTERMException":
        return EXIT_TERMINATED
    return end.code if isinstance(end.code, int) else 0 if end.code is None else 1


if __name__ == "__main__":
    sys.exit(main())
