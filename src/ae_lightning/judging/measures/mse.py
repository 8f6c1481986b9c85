"""How far reconstructions are from their samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ae_lightning.judging.case import Case
from ae_lightning.judging.measure import Direction, Measure
from ae_lightning.judging.pixels import mse


class MeanSquaredError(Measure):
    """Mean squared error per value."""

    name = "mse"
    goal = "reconstruct"
    metrics: ClassVar[Mapping[str, Direction]] = {"mse": "lower"}
    cost = "cheap"
    needs = frozenset({"reconstructions"})

    def compute(self, case: Case) -> dict[str, float]:
        """See ``Measure.compute``."""
        return {"mse": mse(*case.pixels)}
