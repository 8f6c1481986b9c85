"""What a measure is, what a run of measures gives, and the choice and the run of them."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cache, partial
from typing import ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ae_lightning.errors import ConfigError, NotFiniteError, unknown_name
from ae_lightning.judging.case import Case
from ae_lightning.judging.encoded import EncodedSplit
from ae_lightning.judging.jobs import Job, run_jobs
from ae_lightning.judging.named_part import Choice, Guard, Part, known_parts, select_parts

Direction = Literal["lower", "higher", "none"]
"""Which values of a metric are the better ones."""

Goal = Literal["reconstruct", "cluster", "classify", "generate", "compress", "detect", "other"]
"""What an autoencoder may be wanted for, which a measure tells something about."""

Curve = dict[str, list[float]]
"""Columns of numbers, by name."""


@dataclass(frozen=True)
class Found:
    """What a measure gives.

    Attributes:
        values: Value by metric name.
        curve: Columns of numbers that the values are one point of, where there is such a curve.
    """

    values: dict[str, float]
    curve: Curve = field(default_factory=dict)


class Measure(Part):
    """One measure, or a few that one computation gives.

    Attributes:
        metrics: Which way each metric is better, by the names that ``compute`` gives.
        goal: What the measure tells something about.
        of_models_alone: Whether PCA has nothing of the kind.
        not_below_zero: Metrics that estimate what cannot be negative: below 0 they differ by chance alone, and none is
            better than another.
    """

    metrics: ClassVar[Mapping[str, Direction]]
    goal: ClassVar[Goal] = "other"
    of_models_alone: ClassVar[bool] = False
    not_below_zero: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def compute(self, case: Case) -> dict[str, float] | Found:
        """Measure a case that holds all of ``needs``.

        Args:
            case: A model's, or PCA's.

        Returns:
            Value by metric name, of those in ``metrics``, with or without a curve.
        """

    def timed(self, case: Case) -> tuple[Found, float]:
        """Return what the measure gives of a case, and the seconds that took.

        Raises:
            ValueError: If it gives a metric that it does not declare.
        """
        start = time.perf_counter()
        computed = self.compute(case)
        found = computed if isinstance(computed, Found) else Found(computed)
        undeclared = sorted(found.values.keys() - self.metrics.keys())
        if undeclared:
            raise ValueError(f"{', '.join(undeclared)} is not among the metrics that it declares")
        return found, time.perf_counter() - start


@dataclass(frozen=True)
class MeasureResults:
    """What a run of measures gave.

    Attributes:
        values: Value by metric name, such as ``kmeans_nmi``.
        seconds: Wall time by measure name, such as ``kmeans``.
        curves: Columns of numbers by measure name, such as ``compression``.
    """

    values: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    curves: dict[str, Curve] = field(default_factory=dict)

    def add(self, measure: Measure, found: Found, seconds: float) -> None:
        """Take in what a measure gave."""
        self.values.update(found.values)
        self.seconds[measure.name] = seconds
        if found.curve:
            self.curves[measure.name] = found.curve


@cache
def known_measures() -> tuple[Measure, ...]:
    """Return this package's measures, in the order in which they run."""
    return known_parts("ae_lightning.judging.measures", Measure)  # type: ignore[type-abstract]


def select_measures(key: str, choice: Choice) -> tuple[Measure, ...]:
    """Find measures by name or dotted path, so that a config can be refused before any training.

    Args:
        key: The setting that chooses.
        choice: Names and dotted paths, or one of the words ``"all"`` and ``"cheap"``.

    Returns:
        The measures in the order in which they run, each once.

    Raises:
        ConfigError: If a name is not known, or a path leads to nothing that can be used.
    """
    found = select_parts(key, choice, known_measures(), Measure)  # type: ignore[type-abstract]
    declared = {metric: measure.name for measure in known_measures() for metric in measure.metrics}
    for measure in found:
        if measure.is_built_in:
            continue
        if not getattr(measure, "metrics", None):
            raise ConfigError(f"{key}: the measure {measure.name!r} declares no `metrics`")
        for metric, direction in measure.metrics.items():
            if direction not in get_args(Direction):
                raise ConfigError(unknown_name(f"{key}: the direction of {metric!r}", direction, get_args(Direction)))
            if declared.setdefault(metric, measure.name) != measure.name:
                raise ConfigError(f"{key}: {measure.name!r} gives {metric!r}, as the measure {declared[metric]!r} does")
    return found


@dataclass(frozen=True)
class MeasureRun:
    """Measures that run, in whatever order and on whatever thread.

    Attributes:
        measures: Which ones.
        time: Gives what one of them finds, and the seconds that it takes.
        guard: What surrounds each; one whose failure it takes is left out.
        of: Whose they are, as it stands behind their names.
        found: What those gave that are over, by name.
    """

    measures: Sequence[Measure]
    time: Callable[[Measure], tuple[Found, float]]
    guard: Guard = nullcontext
    of: str = ""
    found: dict[str, tuple[Found, float]] = field(default_factory=dict)

    def jobs(self, is_movable: Callable[[Measure], bool]) -> list[Job]:
        """Return one for each measure."""
        return [Job(partial(self._run, measure), is_movable(measure)) for measure in self.measures]

    def _run(self, measure: Measure) -> None:
        with self.guard(f"the measure {measure.name}{self.of}"):
            self.found[measure.name] = self.time(measure)

    @property
    def results(self) -> MeasureResults:
        """What they gave, in their order."""
        results = MeasureResults()
        for measure in self.measures:
            if measure.name in self.found:
                results.add(measure, *self.found[measure.name])
        return results


def measures_of(measures: Sequence[Measure], case: Case, guard: Guard = nullcontext) -> MeasureRun:
    """Prepare measures of a case, whether a model or PCA made its codes; those for which something is missing are not.

    Args:
        measures: From ``select_measures``.
        case: What is judged; the same case gives the same values. Samples whose label is −1 count in no measure that
            needs labels.
        guard: What surrounds each measure; one whose failure it takes is left out. None is taken by default.

    Raises:
        NotFiniteError: If codes or reconstructions are not finite.
        ValueError: If the two splits' codes differ in size.
    """
    require_comparable(case.train, case.evaluated)
    return MeasureRun(applicable_measures(measures, case), lambda measure: measure.timed(case), guard)


def run_measures(measures: Sequence[Measure], case: Case, guard: Guard = nullcontext) -> MeasureResults:
    """Run measures on a case, see ``measures_of``, and return what they give, in their order."""
    run = measures_of(measures, case, guard)
    run_jobs(run.jobs(asks_no_network))
    return run.results


def asks_no_network(measure: Measure) -> bool:
    """Whether a measure may run on another thread: it is this package's and looks at arrays alone."""
    return measure.is_built_in and "model" not in measure.needs


def applicable_measures(measures: Sequence[Measure], case: Case) -> tuple[Measure, ...]:
    """Select the measures for which the case holds everything."""
    return tuple(measure for measure in measures if measure.needs <= case.given)


def needs_of(measures: Sequence[Measure]) -> frozenset[str]:
    """Return all that the measures need, so that nothing is prepared for none of them."""
    return frozenset().union(*(measure.needs for measure in measures))


def require_comparable(train: EncodedSplit, evaluated: EncodedSplit) -> None:
    """Refuse splits that cannot be measured.

    Raises:
        NotFiniteError: If codes or reconstructions are not finite.
        ValueError: If the two splits' codes differ in size.
    """
    latent_dims = train.codes.shape[1], evaluated.codes.shape[1]
    if latent_dims[0] != latent_dims[1]:
        raise ValueError("training codes have {} dimensions, evaluated ones {}".format(*latent_dims))
    _require_finite("training codes", train.codes)
    _require_finite("evaluated codes", evaluated.codes)
    if evaluated.reconstructions is not None:
        _require_finite("reconstructions", evaluated.reconstructions)


def _require_finite(what: str, rows: NDArray[np.float32]) -> None:
    num_bad = int((~np.isfinite(rows).all(axis=tuple(range(1, rows.ndim)))).sum())
    if num_bad:
        raise NotFiniteError(f"{num_bad} of {len(rows)} {what} are not finite")
