"""The MLflow store that a command line or a configuration names, read without the parser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import Namespace

from ae_lightning.command_line.config_parser import check_config_files
from ae_lightning.command_line.unparsed_options import given_options, is_config
from ae_lightning.command_line.yaml_text import load_yaml
from ae_lightning.errors import ConfigError
from ae_lightning.tracking import shown_uri

OPTION = "--trainer.logger.tracking_uri"
_SPELLINGS = (OPTION, "--trainer.logger.init_args.tracking_uri")
_TRACKER = "MLflowTracker"


def named_store(arguments: Sequence[str]) -> str | None:
    """Return the store that a command line names, itself or in its configuration files: what comes last counts.

    Args:
        arguments: Of the command line.

    Returns:
        The store; None where the choice is left to the environment.

    Raises:
        ConfigError: If a configuration file cannot be read.
    """
    check_config_files(arguments)
    store: str | None = None
    for option, value in given_options(arguments):
        if option in _SPELLINGS:
            store = value
        elif is_config(option):
            store = store_in(_content(Path(value)), store)
    return store


def store_in(config: Any, otherwise: str | None = None) -> str | None:
    """Return the store that a configuration names.

    Args:
        config: As a file or a checkpoint holds it.
        otherwise: What to return where it names none.
    """
    tracker = _tracker_of(config)
    arguments = None if tracker is None else tracker.get("init_args")
    return arguments.get("tracking_uri", otherwise) if isinstance(arguments, Mapping) else otherwise


def names_tracker(config: Any) -> bool:
    """Whether a whole configuration has a logger that tracks in MLflow."""
    return _tracker_of(config) is not None


def _tracker_of(config: Any) -> Any | None:
    trainer = config.get("trainer") if isinstance(config, Mapping) else None
    return tracker_in(trainer.get("logger")) if isinstance(trainer, Mapping) else None


def tracker_in(loggers: Any) -> Any | None:
    """Return the first that tracks in MLflow of what `trainer.logger` says, which may be one logger or several.

    Args:
        loggers: As a file holds them or as the parser gives them.

    Returns:
        Its part, which can be changed; None where there is none.
    """
    # A single logger that is not named is the default one; of several, each must be.
    otherwise, several = ("", loggers) if isinstance(loggers, list) else (_TRACKER, [loggers])
    for logger in several:
        if isinstance(logger, Mapping | Namespace) and str(logger.get("class_path", otherwise)).endswith(_TRACKER):
            return logger
    return None


def store_arguments(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the arguments of every logger that names a store, as a configuration holds them; they can be changed."""
    trainer = config.get("trainer")
    loggers = trainer.get("logger") if isinstance(trainer, Mapping) else None
    several = loggers if isinstance(loggers, list) else [loggers]
    arguments = [logger.get("init_args") for logger in several if isinstance(logger, Mapping)]
    return [one for one in arguments if isinstance(one, dict) and isinstance(one.get("tracking_uri"), str)]


def hide_password(config: dict[str, Any]) -> None:
    """Remove users and passwords from the stores that a resolved configuration names: others may read it."""
    for arguments in store_arguments(config):
        arguments["tracking_uri"] = shown_uri(arguments["tracking_uri"])


def _content(path: Path) -> Any:
    if path.is_fifo():
        # It can be read once, and that is for the parser.
        return None
    try:
        return load_yaml(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"-c: {path} cannot be read ({' '.join(str(error).split())})") from error
