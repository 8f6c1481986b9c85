"""What a run does not say: it has the defaults of its classes. A run records what differs, and `compare` fills in."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import torch
from lightning.pytorch import Trainer

from ae_lightning import networks
from ae_lightning.callbacks.checkpointing import RunCheckpoint
from ae_lightning.callbacks.evaluation import Evaluation
from ae_lightning.data import DataModule
from ae_lightning.hyperparameters import plain_value
from ae_lightning.parts import find_parts
from ae_lightning.priors.base import Prior
from ae_lightning.samplers.base import Sampler
from ae_lightning.tracking import MLflowTracker, command_line_keys, valid_key
from ae_lightning.variants import find_variants

TRAINER_DEFAULTS: Mapping[str, Any] = {
    "max_epochs": 40,
    "log_every_n_steps": 10,
    "logger": {"class_path": "ae_lightning.tracking.MLflowTracker"},
    "use_distributed_sampler": False,
}
"""Where the command line has another default than Lightning's Trainer. Our data module deals samples out itself."""

COMPILES_BY_DEFAULT = False
"""Whether networks are compiled where a configuration does not say."""

ALWAYS_SAID = (
    *("model", "model.latent_dim", "model.network", "model.reconstruction", "model.optimizer", "model.optimizer.lr"),
    *("data.name", "data.batch_size", "trainer.max_epochs", "seed_everything", "num_parameters"),
)
"""What a person reads first is there in every run, so that a table of runs has no gaps in it."""

_SECTIONS: Mapping[str, type] = {
    "trainer": Trainer,
    "trainer.logger": MLflowTracker,
    "data": DataModule,
    "evaluation": Evaluation,
    "checkpoint": RunCheckpoint,
}
"""Parts of a configuration whose class is always the same."""

_OTHERS = {
    "seed_everything": "0",
    "sampler": "Prior",
    "compile": str(COMPILES_BY_DEFAULT),
    "keep_memory": "True",
    "ckpt_path": "None",
    "weights_only": "None",
    "num_skipped_images": "0",
    # What the Trainer makes of none.
    "trainer.min_epochs": "0",
}
"""What is no argument of a class."""

_CHOSEN: Mapping[str, Callable[[str], Any]] = {
    "model": lambda name: find_variants().get(name),
    "model.network": lambda name: getattr(networks, name, None),
    "model.prior": lambda name: find_parts("ae_lightning.priors", Prior).get(name),
    "model.optimizer": lambda name: getattr(torch.optim, name, None),
    "model.scheduler": lambda name: getattr(torch.optim.lr_scheduler, name, None),
    "sampler": lambda name: find_parts("ae_lightning.samplers", Sampler).get(name),
}
"""Parts of a configuration whose class is chosen, and where its short name is looked up."""


def said(config: Mapping[str, Any], always: Collection[str] = ()) -> dict[str, str]:
    """Return what a run is to record of a configuration: what nobody could fill in.

    Args:
        config: Resolved, with what was found out of the run beside it.
        always: Keys that are recorded whatever their value, beside `ALWAYS_SAID`.

    Returns:
        Values by the command line's keys, as MLflow has them.
    """
    flat = flattened(config)
    wanted = {*ALWAYS_SAID, *always}
    unknown = tuple(f"{section}." for section in _sections_of_others(config))
    return {
        key: value
        for key, value in flat.items()
        if key in wanted or key.startswith(unknown) or not is_default(key, flat)
    }


def is_default(key: str, settings: Mapping[str, str]) -> bool:
    """Whether a setting has the value that it has where nothing is said.

    Args:
        key: Which one.
        settings: All of them, as `flattened` gives them.
    """
    return settings[key] == _default(key, settings)


def flattened(config: Mapping[str, Any]) -> dict[str, str]:
    """Return a configuration by the command line's keys, as MLflow has it: short names of classes, values in words."""
    return {valid_key(key): str(value) for key, value in command_line_keys(config).items()}


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
    if key in _OTHERS:
        return _OTHERS[key]
    section, _, name = key.rpartition(".")
    owner = _class_of(section, settings)
    if owner is Trainer and name in TRAINER_DEFAULTS:
        return _in_words(TRAINER_DEFAULTS[name])
    argument = None if owner is None else _argument(owner, name)
    if argument is None or argument.default is argument.empty:
        return None
    # As the command line reads it: torch's `weight_decay: float = 0` is 0.0.
    is_float = isinstance(argument.default, int) and str(argument.annotation) in ("float", str(float))
    return _in_words(float(argument.default) if is_float else argument.default)


def _in_words(default: Any) -> str:
    """Return a default as MLflow would have it: of a class, or of what is built by one, the short name."""
    return str(command_line_keys({"": plain_value("", default)})[""])


def _argument(owner: type, name: str) -> inspect.Parameter | None:
    """Return an argument of a class, which may hand it on to the classes that it is built on."""
    constructors = (vars(base)["__init__"] for base in owner.__mro__ if "__init__" in vars(base))
    found = (inspect.signature(constructor).parameters.get(name) for constructor in constructors)
    return next((argument for argument in found if argument is not None), None)


def _class_of(section: str, settings: Mapping[str, str]) -> type | None:
    # A variant may have several optimizers.
    look_up = _CHOSEN.get("model.optimizer" if section.endswith("optimizer") else section)
    if look_up is None:
        return _SECTIONS.get(section)
    named = settings.get(section) or _default(section, settings)
    found = None if named is None else look_up(named)
    return found if isinstance(found, type) else None


def _sections_of_others(config: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Return the parts of a configuration that are built by classes whose defaults are looked up nowhere."""
    found = []
    for name, value in config.items():
        inner, key = value, f"{prefix}{name}"
        if isinstance(value, Mapping) and "class_path" in value:
            path = str(value["class_path"])
            if not path.startswith(("ae_lightning.", "torch.")) and "." in path:
                found.append(key)
            inner = value.get("init_args") or {}
        if isinstance(inner, Mapping):
            found += _sections_of_others(inner, f"{key}.")
    return found
