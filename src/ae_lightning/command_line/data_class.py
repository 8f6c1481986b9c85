"""Which data module a command line means: this package's, unless it names another by its class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningDataModule

from ae_lightning.command_line.config_parser import check_config_files
from ae_lightning.command_line.unparsed_options import given_keys
from ae_lightning.parts import import_part


def named_class(arguments: Sequence[str]) -> type[LightningDataModule] | None:
    """Return the class that options or configuration files name, the last of several; None where none does.

    Args:
        arguments: Of the command line.

    Raises:
        ConfigError: If there is no such class, it is no LightningDataModule, or a file is no configuration.
    """
    check_config_files(arguments)
    named = [value for key, value in given_keys(arguments) if key == "data" and _is_dotted_path(value)]
    return import_part("data", named[-1], LightningDataModule) if named else None


def _is_dotted_path(value: Any) -> bool:
    """Whether a value may be a class' path: not the settings themselves, nor a file that holds them."""
    is_path = isinstance(value, str) and all(word.isidentifier() for word in value.split(".")) and "." in value
    return is_path and not Path(value).is_file()
