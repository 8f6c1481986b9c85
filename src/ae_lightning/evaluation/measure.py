"""What a measure is, and what a run of measures gives."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Literal

from ae_lightning.evaluation.case import Case, Need
from ae_lightning.evaluation.compression import Curve

Cost = Literal["cheap", "full"]
"""``cheap`` measures can run every few epochs on a sample; ``full`` ones belong after training."""

Guard = Callable[[str], AbstractContextManager[object]]
"""Surrounds the computation of what it is told the name of, and decides what becomes of a failure."""


@dataclass(frozen=True)
class Found:
    """What a measure gives.

    Attributes:
        values: Value by metric name.
        curve: Columns of numbers that the values are one point of, where there is such a curve.
    """

    values: dict[str, float]
    curve: Curve = field(default_factory=dict)


@dataclass(frozen=True)
class Measure:
    """One measure, or a few that one computation gives.

    Attributes:
        name: What a config calls it.
        compute: From a case to values.
        cost: Whether it is quick enough to be watched during training.
        needs: What the case must hold for it.
    """

    name: str
    compute: Callable[[Case], Found]
    cost: Cost
    needs: frozenset[Need]

    def timed(self, case: Case) -> tuple[Found, float]:
        """Return what the measure gives of a case, and the seconds that took."""
        start = time.perf_counter()
        found = self.compute(case)
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
