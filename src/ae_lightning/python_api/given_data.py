"""From what `ael.fit` is given for samples to what a configuration says of them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningDataModule

from ae_lightning.data.arrays.given import GivenArrays, gather_arrays
from ae_lightning.data.datamodule import DataModule
from ae_lightning.data.tables.files import SUFFIXES as TABLES
from ae_lightning.errors import ConfigError
from ae_lightning.hyperparameters import class_path, plain_value
from ae_lightning.python_api.given_model import written_down

ARRAYS = "arrays"
"""The source of what is in memory."""


class GivenDataModule(LightningDataModule):
    """Stands in a configuration for a data module that cannot be made anew from it.

    Args:
        of: The class of the one that was given.

    Raises:
        ConfigError: Always.
    """

    def __init__(self, of: str) -> None:
        raise ConfigError(
            f"data: a {of} was given from Python, which no configuration makes; give --data, or its samples"
        )


@dataclass(frozen=True)
class GivenData:
    """Samples, as a configuration says them.

    Attributes:
        settings: What it has below `data`.
        arrays: Those that the source of that name reads; None for any other.
        module: The data module itself, where it is there already.
    """

    settings: dict[str, Any]
    arrays: GivenArrays | None = None
    module: LightningDataModule | None = None


def given_data(
    x: Any, y: Any = None, x_test: Any = None, y_test: Any = None, settings: Mapping[str, Any] | None = None
) -> GivenData:
    """Say what samples are.

    Args:
        x: Arrays, a data module, or the name of a source; a path stands for the folder of images, the table or the
            archive there.
        y: Labels of arrays.
        x_test: Arrays to test on.
        y_test: Labels of these.
        settings: Of the data module, by name.

    Raises:
        DataError: If arrays are no samples.
        ConfigError: If what is given does not go together.
    """
    own = {name: written_down(f"data.{name}", value) for name, value in (settings or {}).items()}
    if isinstance(x, str | Path | LightningDataModule):
        named = {"y": y, "x_test": x_test, "y_test": y_test}
        for name, value in named.items():
            if value is not None:
                raise ConfigError(f"{name}: it goes with arrays; {_called(x)} has its own")
    if isinstance(x, LightningDataModule):
        if own:
            raise ConfigError(f"data: the data module is built; give {', '.join(own)} to {type(x).__name__}(...)")
        return _given_module(x)
    if isinstance(x, Path):
        name = "folder" if x.is_dir() else "table" if x.suffix.lower() in TABLES else "npz"
        return GivenData({"name": name, "path": str(x), **own})
    if isinstance(x, str):
        return GivenData({"name": str(x), **own})
    return GivenData({"name": ARRAYS, **own}, gather_arrays(x, y, x_test, y_test))


def _given_module(module: LightningDataModule) -> GivenData:
    kept = {name: plain_value(name, value) for name, value in module.hparams.items() if not name.startswith("_")}
    if type(module) is DataModule:
        # The run's seed is the data's too, and what is read from there is no different.
        return GivenData({name: value for name, value in kept.items() if name != "seed"})
    parameters = inspect.signature(type(module)).parameters.values()
    is_told = {one.name for one in parameters} <= kept.keys() and type(module).__module__ != "__main__"
    if is_told:
        with suppress(ConfigError):
            arguments = {name: written_down(name, value) for name, value in kept.items()}
            return GivenData({"class_path": class_path(type(module)), "init_args": arguments}, module=module)
    stand_in = {"class_path": class_path(GivenDataModule), "init_args": {"of": class_path(type(module))}}
    return GivenData(stand_in, module=module)


def _called(x: str | Path | LightningDataModule) -> str:
    return type(x).__name__ if isinstance(x, LightningDataModule) else f"the source {str(x)!r}"
