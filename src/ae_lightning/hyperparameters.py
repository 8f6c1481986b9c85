"""Hyperparameters as plain values, so that a checkpoint holds data and no code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from functools import partial
from typing import Any

from ae_lightning.errors import ConfigError
from ae_lightning.networks.base import Network

INSTANTIATOR = "lightning.pytorch.cli.instantiate_module"
"""What `load_from_checkpoint` builds a module with from plain values."""


def class_path(cls: type) -> str:
    """Return the dotted path that imports the class."""
    return f"{cls.__module__}.{cls.__qualname__}"


def plain_value(name: str, value: Any) -> Any:
    """Turn a recipe, a class or a partial call of one into the mapping that a YAML would hold.

    Raises:
        ConfigError: If the value is a function with no name to import it by.
    """
    if isinstance(value, Network):
        return {"class_path": class_path(type(value)), "init_args": value.hyperparameters()}
    if isinstance(value, type):
        return {"class_path": class_path(value)}
    if isinstance(value, partial):
        # jsonargparse's own partial calls have the class as their last argument.
        classes = [part for part in (value.func, *value.args) if isinstance(part, type)]
        if classes:
            arguments = {key: plain_value(f"{name}.{key}", inner) for key, inner in value.keywords.items()}
            return {"class_path": class_path(classes[-1]), "init_args": arguments}
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, tuple):
        return list(value)
    if callable(value):
        raise ConfigError(
            f"model.{name}: {value!r} cannot be kept in a checkpoint; give a class, or functools.partial of one"
        )
    return value


def plain_hyperparameters(cls: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Describe a module by its class and plain hyperparameters, as LightningCLI does.

    Raises:
        ConfigError: If a value cannot be described.
    """
    plain = {name: plain_value(name, value) for name, value in values.items()}
    return {"_class_path": class_path(cls), **plain, "_instantiator": INSTANTIATOR}
