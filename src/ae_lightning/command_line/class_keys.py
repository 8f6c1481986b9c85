"""Keys whose value is a class: which classes there are, which one a command line chooses, and what it takes."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from ae_lightning.command_line.unparsed_options import config_files
from ae_lightning.command_line.yaml_text import load_yaml
from ae_lightning.models.autoencoder import Autoencoder
from ae_lightning.networks import Network
from ae_lightning.priors.base import Prior
from ae_lightning.samplers.base import Sampler
from ae_lightning.variants import holds_variants

CLASS_KINDS: dict[str, type] = {
    "model": Autoencoder,
    "model.network": Network,
    "model.prior": Prior,
    "model.optimizer": Optimizer,
    "model.scheduler": LRScheduler,
    "sampler": Sampler,
    "trainer.logger": Logger,
    "trainer.callbacks": Callback,
}
"""Keys whose value is a class, and what it must be a subclass of."""

DEFAULT_CLASSES = {"model.network": "Conv", "model.optimizer": "Adam", "trainer.logger": "MLflowTracker"}

GIVEN_BY_OTHERS = {"seed": "give seed_everything, which it follows", "spec": "the data give it"}
"""Arguments of a model that its key cannot set, and what does."""

DERIVED_ARGUMENTS = frozenset({"self", "params", "optimizer_", *GIVEN_BY_OTHERS})


def named_classes(arguments: Sequence[str]) -> dict[str, str]:
    """Return the class names that the arguments choose, by key, over the defaults."""
    classes = dict(DEFAULT_CLASSES)
    for option, value in pairwise([*arguments, ""]):
        for path in config_files([option, value]):
            classes |= dict(classes_of("", read_yaml(Path(path))))
        if option.startswith("--"):
            key = option.removeprefix("--").removesuffix(".class_path")
            if key in CLASS_KINDS:
                classes[key] = value
    return {key: name.rsplit(".", 1)[-1] for key, name in classes.items()}


def classes_of(key: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield each key whose value names a class, and the name.

    Args:
        key: Where the value stands; empty for a whole configuration.
        value: As YAML gives it.
    """
    if isinstance(value, str) and key in CLASS_KINDS:
        yield key, value
    if not isinstance(value, Mapping):
        return
    if isinstance(value.get("class_path"), str):
        yield key, value["class_path"]
    for name, inner in value.items():
        if name == "init_args":
            yield from classes_of(key, inner)
        else:
            yield from classes_of(f"{key}.{name}".lstrip("."), inner)


def read_yaml(path: Path) -> Any:
    """Return what a file holds; nothing where it cannot be read, of which the parser speaks."""
    try:
        return load_yaml(path.read_text())
    except (OSError, ValueError, yaml.YAMLError):
        return None


def arguments_of(kind: type, class_name: str | None) -> set[str]:
    """Return the arguments of a class of a kind, or of all classes of that kind where it is not known."""
    short = (class_name or "").rsplit(".", 1)[-1]
    classes = subclasses(kind)
    chosen = [classes[short]] if short in classes else list(classes.values())
    return {name for cls in chosen for name in _argument_names(cls)} - DERIVED_ARGUMENTS


def _argument_names(cls: type) -> Iterator[str]:
    """Yield the names of a constructor's arguments, those that it hands on to its base included."""
    parameters = inspect.signature(cls).parameters.values()
    for parameter in parameters:
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
            yield parameter.name
        elif cls.__mro__[1] is not object:
            yield from _argument_names(cls.__mro__[1])


def subclasses(kind: type) -> dict[str, type]:
    """Return every imported class of a kind that can be built, by name."""
    found: dict[str, type] = {}
    cls: type
    for cls in kind.__subclasses__():
        found |= subclasses(cls)
        if _can_be_chosen(cls):
            found[cls.__name__] = cls
    return found


def _can_be_chosen(cls: type) -> bool:
    is_private = inspect.isabstract(cls) or cls.__name__.startswith("_")
    return not is_private and (not issubclass(cls, Autoencoder) or holds_variants(cls.__module__))
