"""From what `ael.fit` is given for a model to what a configuration says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from inspect import isclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_utilities.core.rank_zero import rank_zero_warn

from ae_lightning.checkpoints.loading import LINKED_KEYS
from ae_lightning.errors import ConfigError
from ae_lightning.hyperparameters import class_path, plain_scalars, plain_value
from ae_lightning.models.autoencoder import Autoencoder
from ae_lightning.named_files import find_file
from ae_lightning.parts import Recipe


@dataclass(frozen=True)
class GivenModel:
    """A model, as a configuration says it.

    Attributes:
        config: The file to begin with; None for none.
        settings: What it has below `model`, over that file.
        built: The model itself, where it is there already.
    """

    config: Path | None
    settings: dict[str, Any]
    built: Autoencoder | None = None


def given_model(model: Any, options: Mapping[str, Any]) -> GivenModel:
    """Say what a model is.

    Args:
        model: The name or file of a configuration, a class, or a built model.
        options: Of the model, by name.

    Raises:
        ConfigError: If it is none of these, or an option cannot be written down.
    """
    if isinstance(model, Autoencoder):
        if options:
            raise ConfigError(f"model: it is built; give {', '.join(options)} to {type(model).__name__}(...)")
        own = {name: value for name, value in model.hparams.items() if not name.startswith("_")}
        given = {name: value for name, value in own.items() if name not in LINKED_KEYS}
        return GivenModel(None, _settings(type(model), given), model)
    if isclass(model) and issubclass(model, Autoencoder):
        return GivenModel(None, _settings(model, options))
    if isinstance(model, str | Path):
        return GivenModel(find_file("configuration", model, "model"), {"init_args": _written_down(options)})
    raise ConfigError(
        f"model: {model!r} is not taken; give a configuration's name, such as 'vae', a variant, or its model"
    )


def _settings(cls: type[Autoencoder], options: Mapping[str, Any]) -> dict[str, Any]:
    if cls.__module__ == "__main__":
        rank_zero_warn(f"{cls.__name__} is defined in no file: nothing but this program can load its checkpoint")
    return {"class_path": class_path(cls), "init_args": _written_down(options)}


def _written_down(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: written_down(f"model.{name}", plain_value(name, value)) for name, value in options.items()}


def written_down(key: str, value: Any) -> Any:
    """Return a setting as YAML holds it.

    Args:
        key: Of the setting, for the error.
        value: Plain, or what stands for it: a number of NumPy, an array of numbers, a path, a recipe.

    Raises:
        ConfigError: If a configuration cannot hold it.
    """
    if isinstance(value, Recipe):
        value = plain_value(key, value)
    value = plain_scalars(value)
    if isinstance(value, np.ndarray | torch.Tensor):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(name): written_down(f"{key}.{name}", inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | set):
        return [written_down(key, inner) for inner in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ConfigError(
        f"{key}: {type(value).__name__} cannot be written down with the run; give its class and arguments as "
        "{'class_path': …, 'init_args': {…}}"
    )
