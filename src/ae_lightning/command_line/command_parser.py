"""The command line of what stands beside `fit`, `validate`, `test` and `predict`."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

from ae_lightning.errors import ConfigError


class CommandParser(argparse.ArgumentParser):
    """Raises what argparse would print, and takes no abbreviated options.

    Args:
        command: Its name, behind the program's.
        arguments: Those of `argparse.ArgumentParser`.
    """

    def __init__(self, command: str, **arguments: Any) -> None:
        super().__init__(prog=f"ae_lightning {command}", allow_abbrev=False, **arguments)
        self.command = command

    def error(self, message: str) -> NoReturn:
        """Refuse the command line.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(f"{self.command}: {message}")
