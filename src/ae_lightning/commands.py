"""The commands that stand beside `fit`, `validate`, `test` and `predict`: each a module with a function `run`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module


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


COMMANDS: dict[str, Command] = {
    "compare": Command("ae_lightning.compare.command", "set runs side by side in one report"),
    "export": Command("ae_lightning.export", "write a checkpoint's weights as safetensors"),
    "sweep": Command("ae_lightning.sweep.command", "search for the best configuration with Optuna"),
    "sync": Command("ae_lightning.sync", "deliver what waits on disk since MLflow was away"),
}
"""Every command by name."""


def overview() -> str:
    """Name the commands in a sentence or two, for the end of `--help`."""
    listed = "; ".join(f"{name}: {command.help}" for name, command in COMMANDS.items())
    return f"Other commands, each with its own --help: {listed}." if listed else ""
