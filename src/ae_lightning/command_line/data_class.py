"""Which data module a command line means: this package's, unless it names another by its class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from lightning.pytorch import LightningDataModule

from ae_lightning.command_line.config_parser import check_config_files
from ae_lightning.command_line.unparsed_options import given_options, is_config
from ae_lightning.command_line.yaml_text import load_yaml
from ae_lightning.parts import import_part

OPTIONS = ("--data", "--data.class_path")


def named_class(arguments: Sequence[str]) -> type[LightningDataModule] | None:
    """Return the class that options or configuration files name, the last of several; None where none does.

    Args:
        arguments: Of the command line.

    Raises:
        ConfigError: If there is no such class, it is no LightningDataModule, or a file is no configuration.
    """
    found: type[LightningDataModule] | None = None
    for option, value in given_options(arguments):
        given = _class_in(value) if is_config(option) else value if option in OPTIONS else None
        if (path := _dotted_path(given)) is not None:
            found = import_part("data", path, LightningDataModule)
    return found


def _dotted_path(value: Any) -> str | None:
    """Return a value that may be a class' path: not the settings themselves, nor a file that holds them."""
    is_path = isinstance(value, str) and all(word.isidentifier() for word in value.split(".")) and "." in value
    return value if is_path and not Path(value).is_file() else None


def _class_in(file: str) -> Any:
    """Return what a configuration file names as the data; of what cannot be read the parser speaks."""
    if not Path(file).is_file():
        return None
    check_config_files(("-c", file))
    try:
        text = Path(file).read_text(encoding="utf-8")
        config: Any = load_yaml(text)
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return None
    data = config.get("data") if isinstance(config, dict) else None
    return data.get("class_path") if isinstance(data, dict) else data
