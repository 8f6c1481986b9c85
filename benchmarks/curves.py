"""Processor time per step over the work of a step: the exponent of its growth, a table and a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from torch.utils.flop_counter import FlopCounterMode

from ae_lightning.networks import Conv
from ae_lightning.spec import DataSpec
from benchmarks.arguments import LATENT_DIM
from benchmarks.tables import markdown_table

HEADINGS = ("processor-ms a step", "time ÷ first", "work ÷ first")


class Point(NamedTuple):
    """What is trained.

    Attributes:
        batch_size: Images a step.
        side: Height and width of an image, in pixels.
        filters: Of the first convolution; the second has twice as many.
    """

    batch_size: int
    side: int
    filters: int


BASE = Point(batch_size=128, side=28, filters=32)


class Curve:
    """Processor times per step of points that differ in one thing.

    Args:
        name: `batch`, `pixels` or `multiply_adds`: what they differ in.
        label: The same for a reader.
        points: In ascending order.

    Attributes:
        seconds: Of a step, by point, a number a round.
    """

    def __init__(self, name: str, label: str, points: Sequence[Point]) -> None:
        self.name = name
        self.label = label
        self.points = list(points)
        self.seconds: dict[Point, list[float]] = {point: [] for point in points}

    def note(self, point: Point, seconds: float) -> None:
        """Note a measurement, if it is one of this curve's points."""
        if point in self.seconds:
            self.seconds[point].append(seconds)

    @property
    def work(self) -> list[int]:
        """What the points differ in, as a number each."""
        measures = {"batch": lambda point: point.batch_size, "pixels": lambda point: point.side**2}
        return [measures.get(self.name, multiply_adds)(point) for point in self.points]

    @property
    def medians(self) -> list[float]:
        """Median seconds of a step, a number a point."""
        return [median(self.seconds[point]) for point in self.points]

    @property
    def exponent(self) -> float:
        """The power of the work that the time grows with: the slope of a line through the logarithms; 1 is linear."""
        slope = np.polyfit(np.log(self.work), np.log(self.medians), 1)[0]
        return float(slope)

    def as_dict(self) -> dict[str, Any]:
        """Return the curve as JSON takes it."""
        points = [
            {**point._asdict(), "work": work, "seconds": self.seconds[point]}
            for point, work in zip(self.points, self.work, strict=True)
        ]
        return {"name": self.name, "exponent": self.exponent, "points": points}


def multiply_adds(point: Point) -> int:
    """Return the multiply-adds with which an image goes through encoder and decoder."""
    network = Conv([point.filters, 2 * point.filters])
    shape = (1, point.side, point.side)
    encoder, decoder = (
        network.build_encoder(DataSpec(shape), LATENT_DIM),
        network.build_decoder(LATENT_DIM, DataSpec(shape)),
    )
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        decoder(encoder(torch.zeros(1, *shape)))
    return int(counter.get_total_flops()) // 2


def write_curves(curves: Sequence[Curve]) -> str:
    """Return a table for each curve, with its exponent."""
    return "\n\n".join(_table(curve) for curve in curves)


def _table(curve: Curve) -> str:
    works, times = curve.work, curve.medians
    rows = [
        (f"{work:,}", f"{1000 * seconds:.1f}", f"{seconds / times[0]:.2f}", f"{work / works[0]:.2f}")
        for work, seconds in zip(works, times, strict=True)
    ]
    title = f"**{curve.label}**: time grows as its power {curve.exponent:.2f}"
    return f"{title}\n\n{markdown_table((curve.label, *HEADINGS), rows)}"


def draw_curves(curves: Sequence[Curve], path: Path) -> None:
    """Draw the curves beside lines of linear growth, on logarithmic axes.

    Args:
        curves: What was measured.
        path: The picture.
    """
    figure = Figure(figsize=(4 * len(curves), 3.5), layout="constrained")
    for axes, curve in zip(figure.subplots(1, len(curves), squeeze=False)[0], curves, strict=True):
        milliseconds = 1000 * np.array(curve.medians)
        works = np.array(curve.work)
        axes.loglog(works, milliseconds, "o-", label=f"measured: power {curve.exponent:.2f}")
        axes.loglog(works, milliseconds[0] * works / works[0], "--", color="grey", label="linear")
        axes.set_xlabel(curve.label)
        axes.set_ylabel("processor-ms a step")
        axes.legend()
    figure.savefig(path)
