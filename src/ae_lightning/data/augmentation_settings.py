"""From what `data.augment` says to augmentations, and back to plain values."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np

from ae_lightning.data.augmentation import Augmentation
from ae_lightning.data.image_by_image import ImageByImage
from ae_lightning.errors import ConfigError, first_line, unknown_name
from ae_lightning.parts import find_parts, import_part

KEY = "data.augment"
PACKAGE = "ae_lightning.data.augmentations"

Given = str | Mapping[str, Any] | Augmentation[Any]
"""A class's name, or it with its arguments as `class_path` and `init_args`; in Python, what it makes."""


def known_augmentations() -> Mapping[str, type[Augmentation[Any]]]:
    """Return this package's augmentations by name."""
    return find_parts(PACKAGE, Augmentation)


def is_known(path: str) -> bool:
    """Whether a name is of this package's augmentations: a class's name, or its dotted path."""
    return "." not in path or path.startswith(f"{PACKAGE}.")


def _known(path: str) -> type[Augmentation[Any]]:
    """Return an augmentation of this package by its name.

    Raises:
        ConfigError: If there is none.
    """
    name = path.rpartition(".")[2]
    found = known_augmentations()
    if name not in found:
        raise ConfigError(f"{unknown_name(KEY, name, found)}, or the dotted path of another, such as torchvision's")
    return found[name]


def parse(given: Given) -> tuple[str, dict[str, Any]]:
    """Return a class's path and its arguments.

    Raises:
        ConfigError: If it is neither a name nor a mapping of both.
    """
    if isinstance(given, Augmentation):
        cls = type(given)
        return f"{cls.__module__}.{cls.__qualname__}", given.hyperparameters()
    if isinstance(given, str):
        return given, {}
    path, arguments = (given.get("class_path"), given.get("init_args")) if isinstance(given, Mapping) else (None, None)
    if not isinstance(path, str) or not isinstance(arguments or {}, Mapping):
        raise ConfigError(
            f"{KEY}: {given!r} is not allowed; it must be a class's name, or "
            "{class_path: NAME, init_args: {ARGUMENT: VALUE}}"
        )
    for name in given.keys() - {"class_path", "init_args"}:
        raise ConfigError(unknown_name(f"{KEY}.{path}", name, ("class_path", "init_args")))
    return path, dict(arguments or {})


def build(path: str, arguments: Mapping[str, Any]) -> Augmentation[Any]:
    """Make an augmentation; what lies outside of this package is imported.

    Args:
        path: Its class: a name, or a dotted path.
        arguments: Of its constructor.

    Raises:
        ConfigError: If there is no such class, it does not take the arguments, or makes nothing that changes images.
    """
    key = f"{KEY}.{path.rpartition('.')[2] if is_known(path) else path}"
    cls = _known(path) if is_known(path) else import_part(KEY, path, object)
    is_own = issubclass(cls, Augmentation)
    if not is_own and not any("__call__" in vars(base) for base in cls.__mro__):
        raise ConfigError(f"{key}: what it makes cannot be called with an image")
    _check_names(key, cls, arguments)
    try:
        made: Any = cls(**arguments)
    except ConfigError:
        raise
    except Exception as error:  # whatever a constructor of others stumbles over
        raise ConfigError(f"{key}: {type(error).__name__}: {first_line(error)}") from error
    return made if is_own else ImageByImage(path, made)


def _check_names(key: str, cls: type, arguments: Mapping[str, Any]) -> None:
    try:
        parameters = inspect.signature(cls).parameters
    except ValueError:  # of a class that is not Python's
        return
    kinds = {one.kind for one in parameters.values()}
    for name in arguments:
        if name not in parameters and inspect.Parameter.VAR_KEYWORD not in kinds:
            raise ConfigError(unknown_name(key, name, parameters))
    for name, one in parameters.items():
        takes_none = one.kind in (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
        if one.default is inspect.Parameter.empty and name not in arguments and not takes_none:
            raise ConfigError(f"{key}.{name} is required")


def plain(path: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return an augmentation as a configuration has it.

    Raises:
        ConfigError: If an argument is nothing that it could hold.
    """
    name = path.rpartition(".")[2] if is_known(path) else path
    values = {argument: _plain_value(f"{KEY}.{name}.{argument}", value) for argument, value in arguments.items()}
    return {"class_path": name, **({"init_args": values} if values else {})}


def _plain_value(key: str, value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Mapping):
        return {str(name): _plain_value(f"{key}.{name}", inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_value(key, inner) for inner in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ConfigError(f"{key}: {type(value).__name__} cannot be written down with the run; give plain values")
