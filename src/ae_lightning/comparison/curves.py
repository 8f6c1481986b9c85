"""Curves of several runs over the steps of training, on one axis only where they measure the same."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from plotly import graph_objects
from plotly.subplots import make_subplots

from ae_lightning.judging.drawing.interactive import drawn_text
from ae_lightning.judging.drawing.style import PALETTE

DASHES = ("solid", "dash", "dot", "dashdot")
"""One for each time the palette is used up."""

MAX_POINTS = 500
"""Of a line, which is thinned to so many."""

PANELS_A_ROW = 2
_PANEL_PIXELS = 320


@dataclass(frozen=True)
class Curve:
    """A line in a panel.

    Attributes:
        run: What it is of; all lines of a run have one colour and one place in the legend.
        points: Step and value, in the order of the steps.
        is_faint: Whether it stands back behind the others of its run.
    """

    run: str
    points: Sequence[tuple[int, float]]
    is_faint: bool = False


@dataclass(frozen=True)
class Panel:
    """Curves that may be held against one another.

    Attributes:
        name: What they are of.
        curves: The lines.
        levels: Values of what has no steps, by name, drawn straight through.
    """

    name: str
    curves: Sequence[Curve]
    levels: Mapping[str, float]


def draw_curves(panels: Sequence[Panel], title: str, runs: Sequence[str]) -> graph_objects.Figure | None:
    """Draw panels side by side, each with an axis of its own, logarithmic where all of its values are positive.

    Args:
        panels: Those without a point are left out.
        title: Of the figure.
        runs: All that there may be curves of: the place among them decides the colour, in every figure alike.

    Returns:
        A figure; None where there is no point at all.
    """
    panels = [panel for panel in panels if any(curve.points for curve in panel.curves)]
    if not panels:
        return None
    num_columns = min(PANELS_A_ROW, len(panels))
    num_rows = math.ceil(len(panels) / num_columns)
    names = [drawn_text(panel.name) for panel in panels]
    figure = make_subplots(
        num_rows, num_columns, subplot_titles=names, vertical_spacing=0.25 / num_rows, horizontal_spacing=0.08
    )
    told: set[str] = set()
    for number, panel in enumerate(panels):
        row, col = number // num_columns + 1, number % num_columns + 1
        for curve in panel.curves:
            if curve.points:
                figure.add_trace(_line(curve, runs.index(curve.run), is_told=curve.run in told), row=row, col=col)
                told.add(curve.run)
        steps = [step for curve in panel.curves for step, _ in curve.points]
        for name, value in panel.levels.items():
            figure.add_trace(_level(name, value, min(steps), max(steps)), row=row, col=col)
        values = [value for curve in panel.curves for _, value in curve.points] + list(panel.levels.values())
        figure.update_yaxes(type="log" if min(values) > 0 else "linear", row=row, col=col)
        figure.update_xaxes(title="training step", row=row, col=col)
    height = _PANEL_PIXELS * num_rows + 100
    figure.update_layout(title=title, template="plotly_white", height=height, showlegend=True)
    return figure


def _level(name: str, value: float, first: int, last: int) -> graph_objects.Scatter:
    # A line of its own: plotly writes beside a shape at the wrong height where an axis is logarithmic.
    return graph_objects.Scatter(
        x=[first, last], y=[value, value], name=drawn_text(name), mode="lines", line={"color": "#777", "dash": "dash"}
    )


def _line(curve: Curve, number: int, *, is_told: bool) -> graph_objects.Scatter:
    # From the end: the last point is where a training got to.
    thinned = curve.points[:: -max(1, math.ceil(len(curve.points) / MAX_POINTS))][::-1]
    dash = DASHES[number // len(PALETTE) % len(DASHES)]
    return graph_objects.Scatter(
        x=[step for step, _ in thinned],
        y=[value for _, value in thinned],
        name=drawn_text(curve.run),
        legendgroup=str(number),
        showlegend=not is_told,
        mode="lines+markers" if len(thinned) < 2 * len(PALETTE) else "lines",
        line={"color": PALETTE[number % len(PALETTE)], "dash": dash, "width": 1 if curve.is_faint else 2.5},
        opacity=0.45 if curve.is_faint else 1.0,
    )
