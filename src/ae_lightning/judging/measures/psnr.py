"""How far reconstructions are from their images, in decibels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ae_lightning.judging.case import Case
from ae_lightning.judging.measure import Direction, Measure
from ae_lightning.judging.pixels import psnr


class PeakSignalToNoise(Measure):
    """Peak signal-to-noise ratio, averaged over the samples."""

    name = "psnr"
    goal = "reconstruct"
    metrics: ClassVar[Mapping[str, Direction]] = {"psnr": "higher"}
    cost = "cheap"
    needs = frozenset({"reconstructions", "bounded values"})

    def compute(self, case: Case) -> dict[str, float]:
        """See ``Measure.compute``."""
        return {"psnr": psnr(*case.pixels)}
