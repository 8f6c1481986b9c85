"""Samplers and pruners by class."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler

from ae_lightning.errors import ConfigError, refusal_explained, unknown_name
from ae_lightning.parts import import_part
from ae_lightning.sweep.study_file import ClassChoice, class_choice

Kind = TypeVar("Kind")

MAX_SEED = 2**31
SEED_STRIDE = 1_000_003
"""A prime: the seeds of two studies' trials meet at far-away numbers only."""

SEEDED_ONCE = ("GridSampler", "QMCSampler")
"""Samplers whose seed orders the whole study, so that it must be the same in every trial."""

INNER = {"wrapped_pruner": True, "base_sampler": False, "independent_sampler": True}
"""Arguments of Optuna's that are samplers or pruners themselves, and whether null stands for none."""


def build_sampler(choice: ClassChoice, seed: int, number: int = 0, key: str = "sampler") -> BaseSampler:
    """Build the sampler of a trial.

    Whatever was drawn before, in this process or another, a trial of a number draws the same numbers. A study that is
    interrupted and continued is then the one that ran through, and two workers never draw alike.

    Args:
        choice: The class and its arguments.
        seed: Of the study.
        number: Of the trial.
        key: Of the class.

    Raises:
        ConfigError: If there is no such class, or it refuses its arguments.
    """
    cls = find_class(key, choice.class_path, optuna.samplers, BaseSampler)  # type: ignore[type-abstract]
    given = with_inner(key, choice, lambda place, inner: build_sampler(inner, seed, number, place))
    if "seed" in inspect.signature(cls).parameters:
        offset = 0 if cls.__name__ in SEEDED_ONCE else number * SEED_STRIDE
        given.setdefault("seed", (seed + offset) % MAX_SEED)
    return build(key, cls, given)


def build_pruner(choice: ClassChoice | None) -> BasePruner:
    """Build the pruner; without a choice, one that prunes nothing.

    Raises:
        ConfigError: If there is no such class, or it refuses its arguments.
    """
    return optuna.pruners.NopPruner() if choice is None else _build_pruner("pruner", choice)


def _build_pruner(key: str, choice: ClassChoice) -> BasePruner:
    cls = find_class(key, choice.class_path, optuna.pruners, BasePruner)  # type: ignore[type-abstract]
    return build(key, cls, with_inner(key, choice, _build_pruner))


def with_inner(key: str, choice: ClassChoice, build_inner: Callable[[str, ClassChoice], Any]) -> dict[str, Any]:
    """Return the arguments of a class; those that are samplers or pruners themselves are built.

    Args:
        key: Of the class.
        choice: The class and its arguments.
        build_inner: Builds one from its key and choice.

    Raises:
        ConfigError: If one cannot be built.
    """
    given = dict(choice.init_args)
    for name in given.keys() & INNER.keys():
        if given[name] is not None or not INNER[name]:
            place = f"{key}.init_args.{name}"
            given[name] = build_inner(place, class_choice(place, given[name]))
    return given


def find_class(key: str, path: str, module: ModuleType, kind: type[Kind]) -> type[Kind]:
    """Find a class by its name in a module of Optuna's, or by its full path.

    Raises:
        ConfigError: If there is none, it cannot be imported, or it is of another kind.
    """
    if "." in path:
        return import_part(key, path, kind)
    known = {
        name: cls
        for name, cls in vars(module).items()
        if isinstance(cls, type) and issubclass(cls, kind) and not inspect.isabstract(cls)
    }
    if path not in known:
        raise ConfigError(unknown_name(key, path, known))
    return known[path]


def build(key: str, cls: type[Kind], given: dict[str, Any]) -> Kind:
    """Make an object of a class.

    Raises:
        ConfigError: If it does not take the arguments.
    """
    known = inspect.signature(cls).parameters
    for name in given:
        if name not in known:
            raise ConfigError(unknown_name(f"{key}.init_args", name, known))
    with refusal_explained(key), warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        try:
            return cls(**given)
        except AttributeError as error:  # a list where GridSampler wants a mapping
            raise ConfigError(f"{key}.init_args: {cls.__name__} cannot use a value ({error})") from error
