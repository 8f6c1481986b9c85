"""The commands that stand beside `fit`, `validate`, `test` and `predict`: each a module with a function `run`."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, NoReturn

from ae_lightning.errors import ConfigError


@dataclass(frozen=True)
class Command:
    """A command of `python -m ae_lightning`.

    Attributes:
        module: Its module, imported when the command is called; ``run(arguments)`` returns the exit code.
        help: What it does, in a line.
    """

    module: str
    help: str

    def run(self, arguments: list[str]) -> int:
        """Run the command.

        Args:
            arguments: Those behind the command's name.

        Returns:
            The exit code.
        """
        function: Callable[[list[str]], int] = import_module(self.module).run
        return function(arguments)


TRAINER_COMMANDS = {
    "fit": "train, then judge the best checkpoint on the test split",
    "validate": "judge a checkpoint on the validation split",
    "test": "judge a checkpoint on the test split",
    "predict": "write a checkpoint's codes and reconstructions to a file",
}
"""What the Trainer's own commands do, in a line each."""

COMMANDS: dict[str, Command] = {
    "compare": Command("ae_lightning.comparison.command", "set runs side by side in one report"),
    "completion": Command("ae_lightning.command_line.completion", "print a script for a shell to complete by"),
    "convert": Command(
        "ae_lightning.command_line.convert", "write a data set as blocks on disk, for more images than memory holds"
    ),
    "export": Command("ae_lightning.command_line.export", "write a checkpoint's weights as safetensors"),
    "init": Command("ae_lightning.command_line.init", "copy the configurations and studies that come with it, to edit"),
    "sample": Command("ae_lightning.command_line.sample", "draw samples from a checkpoint, as pictures or arrays"),
    "sweep": Command("ae_lightning.sweep.command", "search for the best configuration with Optuna"),
    "sync": Command("ae_lightning.command_line.sync", "deliver what waits on disk since MLflow was away"),
    "ui": Command("ae_lightning.command_line.ui", "open MLflow's pages of the runs, where their measures are"),
}
"""Every other command by name."""


def overview() -> str:
    """Return what `--help` prints; nothing is imported for it that trains."""
    parser = argparse.ArgumentParser(
        prog="ae_lightning",
        usage="ae_lightning [-h] [--version] COMMAND ...",
        description="Train autoencoders, judge them, track them in MLflow and search for better ones.",
        epilog="Each command has its own --help.",
    )
    parser.add_argument("--version", action="store_true", help="show the version and exit")
    listed = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name, text in {**TRAINER_COMMANDS, **{name: command.help for name, command in COMMANDS.items()}}.items():
        listed.add_parser(name, help=text)
    return parser.format_help()


class CommandParser(argparse.ArgumentParser):
    """Raises what argparse would print, and takes no abbreviated options.

    Args:
        command: Its name, behind the program's.
        arguments: Those of `argparse.ArgumentParser`.
    """

    def __init__(self, command: str, **arguments: Any) -> None:
        super().__init__(prog=f"ae_lightning {command}", allow_abbrev=False, **arguments)
        self.command = command

    def parse_known_args(self, args: Sequence[str], namespace: Any = None) -> Any:  # type: ignore[override]
        """Parse, and take no `--` for a value: argparse would make an empty list of it.

        Raises:
            ConfigError: If a value is `--`, or the command line is wrong otherwise.
        """
        option = next((one.removesuffix("=--") for one in args if re.fullmatch("--.+=--", one)), None)
        if option is not None:
            self.error(f"argument {option}: '--' is no value")
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Refuse the command line.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(f"{self.command}: {message}")
