"""What a measure is, and what a run of measures gives."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from ae_lightning.judging.case import Case
from ae_lightning.judging.part import Part

Direction = Literal["lower", "higher", "none"]
"""Which values of a metric are the better ones."""

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
        of_models_alone: Whether PCA has nothing of the kind.
        not_below_zero: Metrics that estimate what cannot be negative: below 0 they differ by chance alone, and none is
            better than another.
    """

    metrics: ClassVar[Mapping[str, Direction]]
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
