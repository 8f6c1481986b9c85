"""`completion`: a script by which a shell completes commands, keys and names."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ae_lightning.command_line.commands import COMMANDS, TRAINER_COMMANDS, CommandParser
from ae_lightning.errors import ConfigError
from ae_lightning.named_files import names

if TYPE_CHECKING:
    from ae_lightning.command_line.config_parser import Parser

SHELLS = ("bash", "zsh", "tcsh")

EPILOG = (
    "It completes the program ae_lightning, which is installed with the package; `python -m ae_lightning` is Python's. "
    "In bash: ae_lightning completion bash > ~/.local/share/bash-completion/completions/ae_lightning"
)

_COMPLETE_NAMES = {
    "bash": '_ae_lightning_NAMES() { compgen -W "WORDS" -- "$1"; compgen -f -- "$1"; }',
    "zsh": "_ae_lightning_NAMES() { _alternative 'names:name:(WORDS)' 'files:file:_files'; }",
}
"""Functions that complete a name of the package's or a file."""


def run(arguments: list[str]) -> int:
    """Print the script.

    Args:
        arguments: Of the command line, without the command.

    Returns:
        The exit code.

    Raises:
        ConfigError: If the package that writes such scripts is missing.
    """
    shell: str = parser().parse_args(arguments).shell
    try:
        shtab: Any = import_module("shtab")
    except ImportError as error:
        raise ConfigError("completion needs the package shtab: pip install 'ae_lightning[completion]'") from error
    functions = {kind: _COMPLETE_NAMES.get(shell, "").replace("NAMES", kind) for kind in ("configuration", "study")}
    preamble = "\n".join(text.replace("WORDS", " ".join(names(kind))) for kind, text in functions.items())  # type: ignore[arg-type]
    sys.stdout.write(shtab.complete(_whole(), shell, preamble={shell: preamble}))
    return 0


def parser() -> CommandParser:
    """Return the command's parser."""
    made = CommandParser("completion", description="Print a script for a shell to complete by.", epilog=EPILOG)
    made.add_argument("shell", choices=SHELLS, help="the shell")
    return made


def _whole() -> argparse.ArgumentParser:
    """Return a parser of the whole command line as argparse knows them, which shtab reads.

    jsonargparse writes scripts for shtab too; of this command line they are 80 MB, since they have every argument of
    every class that Lightning's keys may name.
    """
    from ae_lightning.command_line.help.page import add_keys

    whole = argparse.ArgumentParser(prog="ae_lightning")
    commands = whole.add_subparsers()
    for name, found in _trainer_parsers().items():
        command = commands.add_parser(name, help=TRAINER_COMMANDS[name])
        _complete_by(command.add_argument("-c", "--config"), "configuration")
        add_keys(command, found, name)
    for name, one in COMMANDS.items():
        of_command = import_module(one.module).parser()
        command = commands.add_parser(name, help=one.help, parents=[of_command], add_help=False)
        for action in command._actions:
            if name == "sweep" and "--config" in action.option_strings:
                _complete_by(action, "study")
    return whole


def _complete_by(action: Any, kind: str) -> None:
    action.complete = dict.fromkeys(_COMPLETE_NAMES, f"_ae_lightning_{kind}")


class _MadeError(Exception):
    """Ends the command-line interface once its parsers are made."""

    def __init__(self, parsers: dict[str, Parser]) -> None:
        super().__init__()
        self.parsers = parsers


def _trainer_parsers() -> dict[str, Parser]:
    """Return the parsers of the Trainer's commands by name."""
    from ae_lightning.command_line.cli import AutoencoderCLI
    from ae_lightning.command_line.launch import open_cli, prepare

    class ParsersAlone(AutoencoderCLI):
        def parse_arguments(self, parser: Any, args: Any) -> None:
            raise _MadeError(self._subcommand_parsers)  # type: ignore[arg-type]

    prepare()
    try:
        open_cli(ParsersAlone, [])
    except _MadeError as made:
        return made.parsers
    raise AssertionError("it parses before it does anything else")
