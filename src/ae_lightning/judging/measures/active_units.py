"""How much of the bottleneck is used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ae_lightning.judging.case import Case
from ae_lightning.judging.measure import Direction, Measure

MIN_VARIANCE = 0.01
"""Variance of a dimension's mean code above which the dimension counts as used."""


class ActiveUnits(Measure):
    """Dimensions of the code that vary."""

    name = "active_units"
    goal = "generate"
    metrics: ClassVar[Mapping[str, Direction]] = {"active_units": "none"}
    cost = "cheap"

    def compute(self, case: Case) -> dict[str, float]:
        """See ``Measure.compute``."""
        return {"active_units": active_units(case.evaluated.codes)}


def active_units(codes: NDArray[np.float32]) -> float:
    """Count the dimensions whose mean code varies over the images (Burda, Grosse and Salakhutdinov 2016, section 5.2).

    The threshold supposes a prior of variance 1, so that of other codes, PCA's too, it counts dimensions that vary
    by more than 0.01 in their own units.

    Args:
        codes: Mean codes, shape (N, d).

    Returns:
        The number of dimensions with a variance above ``MIN_VARIANCE``.
    """
    return float((codes.var(axis=0, dtype=np.float64) > MIN_VARIANCE).sum())
