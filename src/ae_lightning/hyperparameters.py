"""Hyperparameters as plain values, so that a checkpoint holds data and no code."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from enum import Enum
from functools import partial
from pathlib import PurePath
from typing import Any

import numpy as np
import torch
from jsonargparse import _parameter_resolvers, set_parsing_settings
from jsonargparse.typing import register_type

from ae_lightning.errors import ConfigError
from ae_lightning.parts import Recipe
from ae_lightning.spec import DataSpec, Factors

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
    if isinstance(value, Recipe):
        return {"class_path": class_path(type(value)), "init_args": plain_scalars(value.hyperparameters())}
    if isinstance(value, type):
        return {"class_path": class_path(value)}
    if isinstance(value, partial):
        # jsonargparse's own partial calls have the class as their last argument.
        classes = [part for part in (value.func, *value.args) if isinstance(part, type)]
        if classes:
            arguments = {key: plain_value(f"{name}.{key}", inner) for key, inner in value.keywords.items()}
            return {"class_path": class_path(classes[-1]), "init_args": arguments}
    if is_dataclass(value) and not isinstance(value, type):
        return {key: plain_value(f"{name}.{key}", inner) for key, inner in asdict(value).items()}
    if isinstance(value, tuple):
        return plain_scalars(list(value))
    if callable(value):
        raise ConfigError(
            f"model.{name}: {value!r} cannot be kept in a checkpoint; give a class, or functools.partial of one"
        )
    return plain_scalars(value)


def plain_scalars(value: Any) -> Any:
    """Return a value with the scalars of NumPy, paths and members of enumerations within it as plain values."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Enum):
        return plain_scalars(value.value)
    if isinstance(value, dict):
        plain = {plain_scalars(name): plain_scalars(inner) for name, inner in value.items()}
        return type(value)(plain) if type(value) in (OrderedDict, Counter) else plain
    if type(value) in (list, tuple):
        return type(value)(map(plain_scalars, value))
    return value


def plain_hyperparameters(cls: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Describe a module by its class and plain hyperparameters, as LightningCLI does.

    Raises:
        ConfigError: If a value cannot be described.
    """
    plain = {name: plain_value(name, value) for name, value in values.items()}
    return {"_class_path": class_path(cls), **plain, "_instantiator": INSTANTIATOR}


def _plain_spec(spec: DataSpec) -> dict[str, Any]:
    plain: dict[str, Any] = plain_value("spec", spec)
    return plain


def _spec_of(plain: Mapping[str, Any]) -> DataSpec:
    """Build a `DataSpec` from the mapping that `plain_value` makes of it."""
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in plain.items()}
    factors = values.get("factors")
    if isinstance(factors, Mapping):
        values["factors"] = Factors(tuple(factors["names"]), tuple(factors["sizes"]))
    return DataSpec(**values)


# As one value: jsonargparse would make an argument of each of a dataclass's fields, which no link from the data could
# give.
set_parsing_settings(subclasses_enabled=[DataSpec])
register_type(DataSpec, _plain_spec, _spec_of, deserializer_exceptions=(TypeError, KeyError, ConfigError))


def _follow_options_of_modules(resolvers: Any) -> None:
    """Let the options that a module hands on be found where its bases take them, with their defaults and meaning.

    Of `**options: Unpack[AutoencoderOptions]` jsonargparse would take the names and types that the `TypedDict` has, and
    look no further.
    """
    unpack: Any = resolvers.unpack_typed_dict_kwargs

    def unpack_unless_handed_on(params: Any, kwargs_idx: int, logger: Any = None) -> int:
        parent = params[kwargs_idx].parent
        if isinstance(parent, type) and issubclass(parent, torch.nn.Module):
            return kwargs_idx
        index: int = unpack(params, kwargs_idx, logger)
        return index

    resolvers.unpack_typed_dict_kwargs = unpack_unless_handed_on


_follow_options_of_modules(_parameter_resolvers)
