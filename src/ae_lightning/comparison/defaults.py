"""Settings that runs of earlier versions did not have yet: they did what the default of today does."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence

from ae_lightning import networks
from ae_lightning.callbacks.checkpointing import RunCheckpoint
from ae_lightning.callbacks.evaluation import Evaluation
from ae_lightning.command_line.parsed_settings import COMPILES_BY_DEFAULT
from ae_lightning.data import DataModule
from ae_lightning.variants import find_variants

SECTIONS: Mapping[str, type] = {"data": DataModule, "evaluation": Evaluation, "checkpoint": RunCheckpoint}
"""Parts of a configuration whose class is always the same."""

OTHERS = {"compile": str(COMPILES_BY_DEFAULT), "num_skipped_images": "0"}
"""What is no argument of a class."""


def complete(settings: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """Return each run's settings with the defaults of what only other runs say.

    Args:
        settings: Parameters by the command line's keys, `model` and `model.network` being names of classes.

    Returns:
        The same, completed; without what belongs to a class that the run does not use, or that is not the package's.
    """
    keys = dict.fromkeys(key for one in settings for key in one)
    return [{**_defaults([key for key in keys if key not in one], one), **one} for one in settings]


def _defaults(keys: Sequence[str], settings: Mapping[str, str]) -> dict[str, str]:
    defaults = {key: _default(key, settings) for key in keys}
    return {key: default for key, default in defaults.items() if default is not None}


def _default(key: str, settings: Mapping[str, str]) -> str | None:
    section, _, name = key.rpartition(".")
    owner = _class_of(section, settings)
    if owner is None:
        return OTHERS.get(key)
    argument = _argument(owner, name)
    return None if argument is None or argument.default is argument.empty else str(argument.default)


def _argument(owner: type, name: str) -> inspect.Parameter | None:
    """Return an argument of a class, which may hand it on to the classes that it is built on."""
    constructors = (vars(base)["__init__"] for base in owner.__mro__ if "__init__" in vars(base))
    found = (inspect.signature(constructor).parameters.get(name) for constructor in constructors)
    return next((argument for argument in found if argument is not None), None)


def _class_of(section: str, settings: Mapping[str, str]) -> type | None:
    if section == "model":
        return find_variants().get(settings["model"])
    if section == "model.network":
        return getattr(networks, settings.get(section, ""), None)
    return SECTIONS.get(section)
