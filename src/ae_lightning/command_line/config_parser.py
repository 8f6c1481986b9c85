"""The parser of `fit`, `validate`, `test` and `predict`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import yaml
from jsonargparse import Namespace, get_loader, set_loader, set_parsing_settings
from lightning.pytorch.cli import LightningArgumentParser

from ae_lightning.command_line.class_keys import subclasses
from ae_lightning.command_line.config_errors import ParseError
from ae_lightning.command_line.jsonargparse_patches import read_plain_values_by, reading_as_written
from ae_lightning.command_line.unparsed_options import config_files
from ae_lightning.command_line.yaml_text import check_structure, constructors_explained
from ae_lightning.errors import ConfigError
from ae_lightning.models.autoencoder import Autoencoder

MAX_CONFIG_BYTES = 1 << 20
"""Of a configuration file: what is larger is a checkpoint or an archive, given by mistake."""

MODE = "ae_lightning"
"""jsonargparse's name for how values are read: YAML that is checked first."""


def _load(text: str) -> Any:
    check_structure(text)
    with constructors_explained():
        try:
            return get_loader("yaml")(text)
        except TypeError as error:
            # jsonargparse's own loader takes every key for a string.
            raise yaml.YAMLError("its keys must be strings") from error


# As version 5 of jsonargparse will by itself: what names `os`, `subprocess` and their like is not imported.
set_parsing_settings(import_path_denylist=[])
set_loader(MODE, _load, exceptions=(yaml.YAMLError, ValueError))
read_plain_values_by(_load)


class _Help(argparse._HelpAction):
    """Shows the command's page, or one section of it with every word."""

    def __init__(self, option_strings: Sequence[str], **options: Any) -> None:
        super().__init__(option_strings, **options)
        self.nargs = "?"

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option_string: str | None = None
    ) -> None:
        # Heavier than to parse.
        from ae_lightning.command_line.help.page import page

        command = parser.prog.rpartition(" ")[2]
        sys.stdout.write(page(cast(Parser, parser), command, values, _chosen(namespace)))
        parser.exit()


def _chosen(namespace: Any) -> type[Autoencoder] | None:
    """Return the variant that options before `--help` have chosen."""
    path = (namespace.get("model") or {}).get("class_path", "")
    return {f"{cls.__module__}.{name}": cls for name, cls in subclasses(Autoencoder).items()}.get(path)


class Parser(LightningArgumentParser):
    """Raises what jsonargparse would print, and takes no abbreviated keys: a misspelt one would pass for another."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(
            *args, allow_abbrev=False, add_help=False, **{"prog": "ae_lightning", "parser_mode": MODE, **kwargs}
        )
        self.add_argument("-h", "--help", action=_Help)

    def parse_args(self, *args: Any, **kwargs: Any) -> Namespace:  # type: ignore[override]
        """Parse what was written, files that are configurations alone."""
        with reading_as_written(_require_config):
            return super().parse_args(*args, **kwargs)

    def validate(self, namespace: Namespace, *args: Any, **kwargs: Any) -> None:
        """Check all values; jsonargparse would take null or a list for a group of settings and build nothing from it.

        Raises:
            ConfigError: If a group is no mapping.
        """
        for group in self.groups or {}:
            value = namespace.get(group, {})
            is_missing = group == "model" and value is None  # which has an answer of its own
            if not is_missing and not isinstance(value, Namespace | dict):
                given = "null" if value is None else repr(value)
                raise ConfigError(f"{group}: {given} is not allowed; it must be a mapping")
        super().validate(namespace, *args, **kwargs)

    def error(self, message: str, ex: Exception | None = None) -> None:  # type: ignore[override]
        """Hand a message over to be explained.

        Raises:
            ParseError: Always.
        """
        raise ParseError(message) from ex


def check_config_files(arguments: Sequence[str]) -> None:
    """Refuse what is no configuration file before it is read whole.

    Args:
        arguments: Of the command line.

    Raises:
        ConfigError: If a file is far too large, has no end, or is a pipe that nobody may be writing to.
    """
    for path in map(Path, config_files(arguments)):
        _require_config(path, "-c: ")


def _require_config(path: Path, key: str = "") -> None:
    if not path.exists():
        return
    if not (path.is_file() or path.is_dir() or _is_of_a_shell(path) or str(path) == os.devnull):
        raise ConfigError(f"{key}{path} is no file")
    size = path.stat().st_size
    if size > MAX_CONFIG_BYTES:
        raise ConfigError(f"{key}{path} holds {size:,} bytes; that is no configuration")


def _is_of_a_shell(path: Path) -> bool:
    """Whether a path is one end of a pipe whose other end writes, as a shell makes them for `-c <(…)`.

    It leads to a descriptor of this process, and no further; a pipe with a name of its own may wait for a writer for
    ever.
    """
    return path.is_fifo() and not path.resolve().exists()
