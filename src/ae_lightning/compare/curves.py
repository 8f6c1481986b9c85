"""Loss curves of several runs in one figure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from plotly import graph_objects

from ae_lightning.judging.drawing.interactive import drawn_text
from ae_lightning.judging.drawing.style import PALETTE

DASHES = ("solid", "dash", "dot", "dashdot")
"""One for each time the palette is used up."""

MAX_POINTS = 500


def loss_curves(curves: Mapping[str, Sequence[tuple[int, float]]], metric: str) -> graph_objects.Figure:
    """Draw a metric over the steps of training, a line a run.

    Args:
        curves: Step and value by run, in the order of the steps; the lines are thinned to ``MAX_POINTS`` points.
        metric: What is drawn; the axis bears its name.

    Returns:
        A figure with a logarithmic axis where all values are positive.
    """
    figure = graph_objects.Figure()
    for number, (label, points) in enumerate(curves.items()):
        # From the end: the last point is where a training got to.
        thinned = points[:: -max(1, math.ceil(len(points) / MAX_POINTS))][::-1]
        dash = DASHES[number // len(PALETTE) % len(DASHES)]
        figure.add_scatter(
            x=[step for step, _ in thinned],
            y=[value for _, value in thinned],
            name=drawn_text(label),
            mode="lines+markers" if len(thinned) < 2 * len(PALETTE) else "lines",
            line={"color": PALETTE[number % len(PALETTE)], "dash": dash},
        )
    is_positive = all(value > 0 for points in curves.values() for _, value in points)
    figure.update_layout(
        title=metric,
        xaxis_title="training step",
        yaxis={"title": metric, "type": "log" if is_positive else "linear"},
        template="plotly_white",
        height=480,
        showlegend=True,
    )
    return figure
