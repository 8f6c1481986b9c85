"""The search space: parameters by dotted configuration key, some of them only under a condition."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, Protocol

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalChoiceType,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    check_distribution_compatibility,
)
from optuna.trial import FrozenTrial
from pydantic import BaseModel, ConfigDict, Field

from ae_lightning.errors import ConfigError, unknown_name


class _Parameter(BaseModel):
    """What every parameter may say.

    Attributes:
        when: Values that other parameters must have for this one to exist.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    when: dict[str, Annotated[list[Any], Field(min_length=1)]] = Field(default_factory=dict)

    @abstractmethod
    def distribution(self) -> BaseDistribution:
        """Return what Optuna chooses from."""

    def suggest(self, trial: optuna.Trial | FrozenTrial, key: str) -> Any:
        """Let Optuna choose."""
        return trial._suggest(key, self.distribution())


class IntRange(_Parameter):
    """Whole numbers from low to high, both included."""

    type: Literal["int"]
    low: int
    high: int
    step: int = 1
    log: bool = False

    def distribution(self) -> IntDistribution:
        """Return what Optuna chooses from."""
        return IntDistribution(self.low, self.high, log=self.log, step=self.step)

    def holds(self, value: Any) -> bool:
        """Whether a value is one of those that Optuna chooses from."""
        return type(value) is int and self.distribution()._contains(value)

    def edges(self) -> list[Any]:
        """Return the values that stand for all of them in a check."""
        return [self.low, self.high]


class FloatRange(_Parameter):
    """Numbers from low to high."""

    type: Literal["float"]
    low: float
    high: float
    step: float | None = None
    log: bool = False

    def distribution(self) -> FloatDistribution:
        """Return what Optuna chooses from."""
        return FloatDistribution(self.low, self.high, log=self.log, step=self.step)

    def holds(self, value: Any) -> bool:
        """Whether a value is one of those that Optuna chooses from."""
        # Optuna forgives what rounding does to a step.
        return type(value) in (int, float) and self.distribution()._contains(value)

    def edges(self) -> list[Any]:
        """Return the values that stand for all of them in a check."""
        return [self.low, self.high]


class Choices(_Parameter):
    """One of several values: numbers, words, lists, or classes with their arguments."""

    type: Literal["categorical"]
    choices: list[Any] = Field(min_length=1)

    def distribution(self) -> CategoricalDistribution:
        """Return what Optuna chooses from: it stores plain values only, so that lists and mappings go by their JSON."""
        return CategoricalDistribution([plain(choice) for choice in self.choices])

    def suggest(self, trial: optuna.Trial | FrozenTrial, key: str) -> Any:
        """Let Optuna choose."""
        stored = super().suggest(trial, key)
        return next(choice for choice in self.choices if plain(choice) == stored)

    def holds(self, value: Any) -> bool:
        """Whether a value is one of the choices."""
        return value in self.choices

    def edges(self) -> list[Any]:
        """Return every choice."""
        return list(self.choices)


Parameter = Annotated[IntRange | FloatRange | Choices, Field(discriminator="type")]
Space = Mapping[str, Parameter]


class Chooser(Protocol):
    """Chooses the value of a parameter."""

    def __call__(self, key: str, parameter: Parameter) -> Any:
        """Return a value of the parameter."""


def plain(value: Any) -> CategoricalChoiceType:
    """Return a value as Optuna stores it."""
    return value if value is None or isinstance(value, bool | int | float | str) else json.dumps(value)


def choose(space: Space, chooser: Chooser) -> dict[str, Any]:
    """Return a value for every parameter whose condition holds, in the order of the space."""
    values: dict[str, Any] = {}
    for key, parameter in space.items():
        if all(other in values and values[other] in allowed for other, allowed in parameter.when.items()):
            values[key] = chooser(key, parameter)
    return values


def suggest(space: Space, trial: optuna.Trial | FrozenTrial) -> dict[str, Any]:
    """Return the values that Optuna chooses for a trial."""
    return choose(space, lambda key, parameter: parameter.suggest(trial, key))


def arguments(values: Mapping[str, Any]) -> list[str]:
    """Return values by dotted key as arguments of the command line, a class before what belongs to it."""
    ordered: Sequence[str] = sorted(values, key=lambda key: key.count("."))
    return [f"--{key}={_text(values[key])}" for key in ordered]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def check_space(space: Space) -> None:
    """Refuse ranges that hold nothing and conditions that can never hold.

    Raises:
        ConfigError: If there is one, or the space is empty.
    """
    if not space:
        raise ConfigError("space: it names no parameter to search")
    earlier: dict[str, Parameter] = {}
    for key, parameter in space.items():
        if not isinstance(parameter, Choices):
            _check_range(key, parameter)
        for other, allowed in parameter.when.items():
            _check_condition(f"space.{key}.when", other, allowed, earlier)
        earlier[key] = parameter


def check_values(place: str, values: Mapping[str, Any], space: Space) -> None:
    """Refuse values that are not in the space.

    Raises:
        ConfigError: If there is one.
    """
    for key, value in values.items():
        if key not in space:
            raise ConfigError(unknown_name(place, key, space))
        if not space[key].holds(value):
            raise ConfigError(f"{place}.{key}: {value!r} is not in the space")


def check_continues(space: Space, trials: Iterable[FrozenTrial]) -> None:
    """Refuse a space that Optuna cannot go on with, beside trials from before it was edited.

    A range may be moved; what its values are may not change.

    Raises:
        ConfigError: If there is a parameter of another kind, scale or other choices.
    """
    wanted = {key: parameter.distribution() for key, parameter in space.items()}
    for trial in trials:
        for key in wanted.keys() & trial.distributions.keys():
            try:
                check_distribution_compatibility(trial.distributions[key], wanted[key])
            except ValueError as error:
                raise ConfigError(
                    f"space.{key}: earlier trials of the study chose it from {trial.distributions[key]}, which Optuna "
                    "cannot change into what it is now; give the study another name"
                ) from error


def _check_range(key: str, parameter: IntRange | FloatRange) -> None:
    if not parameter.low <= parameter.high:
        raise ConfigError(f"space.{key}: low {parameter.low} is above high {parameter.high}")
    if parameter.log and parameter.low <= 0:
        raise ConfigError(f"space.{key}: low {parameter.low} is not allowed; with log it must be above 0")
    if parameter.log and parameter.step != type(parameter).model_fields["step"].default:
        raise ConfigError(f"space.{key}.step: {parameter.step} is not allowed; with log there must be none")
    if parameter.step is not None and parameter.step <= 0:
        raise ConfigError(f"space.{key}.step: {parameter.step} is not allowed; it must be above 0")


def _check_condition(place: str, other: str, allowed: list[Any], earlier: Mapping[str, Parameter]) -> None:
    if other not in earlier:
        raise ConfigError(unknown_name(place, other, earlier) + " (what it depends on must stand before it)")
    parameter = earlier[other]
    if not isinstance(parameter, Choices):
        raise ConfigError(f"{place}: {other!r} is a range; a parameter can only depend on a categorical one")
    for value in allowed:
        if value not in parameter.choices:
            choices = ", ".join(map(repr, parameter.choices))
            raise ConfigError(f"{place}.{other}: {value!r} is none of its choices; Allowed: {choices}")
