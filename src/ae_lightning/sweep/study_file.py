"""A study as its YAML describes it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator, model_validator

from ae_lightning.command_line.config_parser import check_config_files
from ae_lightning.command_line.yaml_text import load_yaml
from ae_lightning.errors import ConfigError, unknown_name
from ae_lightning.named_files import find_file, named_file
from ae_lightning.sweep.space import Choices, FloatRange, IntRange, Parameter, check_space, check_values

Direction = Literal["minimize", "maximize"]

MODEL_FACTS = ("latent_dim", "num_parameters")
"""What an objective or constraint may name beside validation metrics."""

DEFAULT_STORAGE = "sqlite:///optuna.db"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Limit(_Strict):
    """A constraint: how large or how small a value may be."""

    max: float | None = None
    min: float | None = None

    def violation(self, value: float) -> float:
        """Return by how much a value breaks the limit: at most 0 where it keeps to it."""
        above = value - self.max if self.max is not None else -float("inf")
        below = self.min - value if self.min is not None else -float("inf")
        return max(above, below)


class ClassChoice(_Strict):
    """A class of Optuna's, or one that can be imported, and its arguments."""

    class_path: str
    init_args: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, given: Any) -> Any:
        return {"class_path": given} if isinstance(given, str) else given


class StudyFile(_Strict):
    """A study.

    Attributes:
        name: Of the study in Optuna and MLflow; by default the file's.
        configs: Configurations that every trial starts from, relative to the study's file, or by name; later ones
            win.
        settings: Values by dotted key that lie over the configurations in every trial.
        space: What is searched, by dotted key.
        first: Values by key of trials to begin with, such as the configuration to beat; the sampler gives the rest.
        objectives: Metrics by name with their direction.
        constraints: Limits by metric.
        sampler: What proposes trials.
        pruner: What ends hopeless ones; none for none.
        trials: How many there are to be, over all nights; null for as many as the timeout allows.
        timeout: How long a night lasts, such as `8h`.
        seeds: How often a trial is trained, each time from another seed; its values are the means.
        seed: Of the sampler.
        storage: Where Optuna keeps the study.
        patience: Seconds that a storage that went away is waited for.
        plot_every: The plots in MLflow are renewed after so many trials, and at the end.
    """

    name: str = Field(pattern=r"^[\w.-]+$")
    configs: list[Path] = Field(default_factory=list)
    settings: dict[str, Any] = Field(default_factory=dict)
    space: dict[str, Parameter]
    first: list[dict[str, Any]] = Field(default_factory=list)
    objectives: dict[str, Direction] = Field(min_length=1)
    constraints: dict[str, Limit] = Field(default_factory=dict)
    sampler: ClassChoice = ClassChoice(class_path="TPESampler")
    pruner: ClassChoice | None = None
    trials: int | None = Field(default=None, ge=1)
    timeout: float | None = None
    seeds: int = Field(default=1, ge=1)
    seed: int = Field(default=0, ge=0)
    storage: str = DEFAULT_STORAGE
    patience: float = Field(default=120.0, ge=4)
    plot_every: int = Field(default=10, ge=1)

    @field_validator("timeout", mode="before")
    @classmethod
    def _parse_timeout(cls, given: Any) -> Any:
        return None if given is None else _parse_seconds("timeout", given)

    @model_validator(mode="after")
    def _check(self) -> StudyFile:
        check_space(self.space)
        for values in self.first:
            check_values("first", values, self.space)
        for kind, names in (("objectives", self.objectives), ("constraints", self.constraints)):
            for name in names:
                _check_metric(kind, name)
        for name, limit in self.constraints.items():
            if limit.max is None and limit.min is None:
                raise ConfigError(f"constraints.{name}: it sets no limit; give max or min")
        if self.pruner is not None:
            self._check_pruner()
        if self.trials is None and self.timeout is None:
            raise ConfigError("trials: without a timeout the number of trials is needed, or the study never ends")
        return self

    def _check_pruner(self) -> None:
        if len(self.objectives) > 1:
            raise ConfigError("pruner: Optuna cannot prune a study of several objectives; leave the pruner out")
        if self.watched not in self.objectives:
            raise ConfigError(
                f"pruner: {next(iter(self.objectives))} does not change in training; leave the pruner out"
            )

    @property
    def directions(self) -> list[Direction]:
        """The directions, in the order of the objectives."""
        return list(self.objectives.values())

    @property
    def watched(self) -> str:
        """The first objective that training moves."""
        return next((name for name in self.objectives if name not in MODEL_FACTS), "")

    @property
    def searched(self) -> dict[str, Any]:
        """What is searched, and how, as JSON takes it."""
        return self.model_dump(mode="json", include={"sampler", "space"})

    @property
    def metrics(self) -> list[str]:
        """Every metric that an objective or constraint names."""
        return list(dict.fromkeys([*self.objectives, *self.constraints]))


def _parse_seconds(key: str, given: str | float) -> float:
    """Return the seconds of a duration of ISO 8601 as people write it: `8h`, `1h30m`, `45s` or `90` (seconds)."""
    days, unit, rest = str(given).strip().upper().rpartition("D")
    time = rest + "S" if rest[-1:].isdigit() else rest
    try:
        seconds = TypeAdapter(timedelta).validate_python(f"P{days}{unit}{'T' * bool(time)}{time}").total_seconds()
    except ValidationError:
        seconds = 0.0
    if seconds <= 0:
        raise ConfigError(f"{key}: {given!r} is not allowed; it must be a duration such as 8h, 1h30m or 45s")
    return seconds


def _check_metric(kind: str, name: str) -> None:
    if name.startswith("test/"):
        raise ConfigError(
            f"{kind}: {name!r} is refused: a sweep that looks at the test split has none left to judge its choice by; "
            f"use {'val/' + name.removeprefix('test/')!r}"
        )
    if not name.startswith("val/") and name not in MODEL_FACTS:
        raise ConfigError(f"{kind}: {name!r} is not known; it must be a val/… metric, {' or '.join(MODEL_FACTS)}")


def read_study(path: Path, overrides: dict[str, Any] | None = None) -> StudyFile:
    """Read a study.

    Args:
        path: Its YAML.
        overrides: Values of the command line, which win; None leaves a key as it is.

    Raises:
        ConfigError: If the file cannot be read, or a key or value is wrong.
    """
    check_config_files(("-c", str(path)))
    try:
        given = load_yaml(path.read_text())
    except OSError as error:
        raise ConfigError(f"-c: {path} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"-c: not a text file: {path}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"-c: {path} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(given, dict):
        raise ConfigError(f"-c: {path} holds no study")
    _check_plain(path, given)
    merged = {"name": path.stem, **given, **{k: v for k, v in (overrides or {}).items() if v is not None}}
    try:
        study = StudyFile.model_validate(merged)
    except ValidationError as error:
        raise ConfigError(_explain(error)) from error
    return study.model_copy(update={"configs": [_config_of(path, config) for config in study.configs]})


def _config_of(study: Path, config: Path) -> Path:
    beside = study.parent / config
    named = None if beside.is_file() else named_file("configuration", config)
    return named or find_file("configuration", beside, "configs")


def _check_plain(path: Path, given: dict[Any, Any]) -> None:
    """Refuse what YAML knows and neither Optuna nor the command line takes, such as dates."""
    try:
        json.dumps(given)
    except TypeError as error:
        raise ConfigError(f"-c: {path} holds what is no text, number, list or mapping: {error}") from error


PARTS: dict[str, type[BaseModel]] = {
    "int": IntRange,
    "float": FloatRange,
    "categorical": Choices,
    "constraints": Limit,
    "sampler": ClassChoice,
    "pruner": ClassChoice,
}
"""What a part of a study may say, by a word on the way to it."""


def class_choice(place: str, given: Any) -> ClassChoice:
    """Read a class that stands among the arguments of another.

    Args:
        place: Its dotted key.
        given: Its name, or a mapping of its path and arguments.

    Raises:
        ConfigError: If a key or value is wrong.
    """
    try:
        return ClassChoice.model_validate(given)
    except ValidationError as error:
        raise ConfigError(_explain(error, place.split("."))) from error


def _explain(error: ValidationError, above: Sequence[str] = ()) -> str:
    """Say in one line what is wrong with a study, or with what stands below some key; the first fault of several."""
    fault = error.errors()[0]
    way = [*above, *(str(step) for step in fault["loc"])]
    place = ".".join(step for i, step in enumerate(way) if not (way[0] == "space" and i == 2)) or "study"
    if fault["type"] == "extra_forbidden":
        part = next((PARTS[step] for step in reversed(way[:-1]) if step in PARTS), StudyFile)
        return unknown_name(place.rpartition(".")[0] or "study", way[-1], part.model_fields)
    if fault["type"] == "missing":
        return f"{place}: it is missing"
    return f"{place}: {fault['input']!r} is not allowed; {fault['msg'][0].lower()}{fault['msg'][1:]}"
