"""The comparison as one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jinja2 import Environment
from matplotlib.figure import Figure
from plotly.offline import get_plotlyjs

from ae_lightning.comparison.answer import answer
from ae_lightning.comparison.columns import LEGEND, Columns, first_columns, heading
from ae_lightning.comparison.contest import Row
from ae_lightning.comparison.table import Comparison
from ae_lightning.judging.directions import BEST
from ae_lightning.judging.drawing.interactive import Scene, fragment
from ae_lightning.judging.drawing.style import to_png
from ae_lightning.judging.measure import Goal

if TYPE_CHECKING:
    from plotly.graph_objects import Figure as InteractiveFigure

TEMPLATE = "report.html"


@dataclass(frozen=True)
class Illustrations:
    """What a report shows besides its numbers.

    Attributes:
        images: Pictures of all models side by side, by what they show.
        scatters: Scatters of the codes whose images are seen by hovering, by label.
        grids: Decoded grids of two-dimensional codes, by label.
        curves: Figures of curves over training.
        left_out: Label and reason of what is in no picture.
    """

    images: Mapping[str, Figure] = field(default_factory=dict)
    scatters: Mapping[str, Scene] = field(default_factory=dict)
    grids: Mapping[str, Figure] = field(default_factory=dict)
    curves: Sequence[InteractiveFigure] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)


def to_html(
    comparison: Comparison, illustrations: Illustrations, title: str, goal: Goal, *, with_all: bool = False
) -> str:
    """Write the report.

    Args:
        comparison: The numbers.
        illustrations: The pictures.
        title: Of the page.
        goal: What the rows are ranked by.
        with_all: Whether all columns are shown at first, and not eight alone.

    Returns:
        A page with its pictures, styles and scripts inside: it asks no other host for anything.
    """
    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
        files("ae_lightning.comparison").joinpath(TEMPLATE).read_text(encoding="utf-8")
    )
    runs = [(run, row.label) for row in comparison.rows for run in row.runs]
    together = comparison.contests(by_latent_dim=False)
    first = dict.fromkeys(name for contest in together for name in first_columns(contest, goal).measures)
    measures = [*first, *(name for name in comparison.measures if name not in first)]
    tables = [first_columns(contest, goal, measures) for contest in comparison.contests(by_latent_dim=True)]
    return template.render(
        title=title,
        note=f"{len(runs)} runs. {comparison.note} {LEGEND}",
        answers=[(contest.name, answer(contest, goal)) for contest in together],
        goal=goal,
        with_all=with_all,
        settings=comparison.setting_names(),
        measures=[(heading(name), name not in first) for name in measures],
        rows=[_row(comparison, table, row) for table in tables for row in table.rows],
        images=[{"label": label, "src": _data_uri(figure)} for label, figure in illustrations.images.items()],
        scatters=[
            fragment(scene, label, f"codes-{number}")
            for number, (label, scene) in enumerate(illustrations.scatters.items())
        ],
        grids=[{"label": label, "src": _data_uri(figure)} for label, figure in illustrations.grids.items()],
        curves=[_embedded(figure) for figure in illustrations.curves],
        plotly_js=f"<script>{get_plotlyjs()}</script>",
        left_out=illustrations.left_out,
        runs=[{"run_id": run.run_id, "name": run.name, "row": label, "status": run.status} for run, label in runs],
    )


def _row(comparison: Comparison, table: Columns, row: Row) -> dict[str, Any]:
    return {
        "place": table.place(row),
        "label": row.label,
        "variant": row.title,
        "latent_dim": row.latent_dim,
        "is_baseline": row.is_baseline,
        "is_finished": row.is_finished,
        "settings": [row.settings.get(key, "") for key in comparison.setting_names()],
        "cells": [_cell(table, row, name) for name in table.measures],
        "num_seeds": len(row.runs),
    }


def _cell(table: Columns, row: Row, measure: str) -> dict[str, Any]:
    value = row.values.get(measure)
    if value is None:
        return {"text": "", "sort_by": "", "is_best": False}
    is_best = table.is_best(row, measure)
    sort_by = value.mean if math.isfinite(value.mean) else ""
    return {"text": f"{BEST} {value}" if is_best else str(value), "sort_by": sort_by, "is_best": is_best}


def _data_uri(figure: Figure) -> str:
    return f"data:image/png;base64,{base64.b64encode(to_png(figure)).decode()}"


def _embedded(figure: InteractiveFigure) -> str:
    html: str = figure.to_html(full_html=False, include_plotlyjs=False)
    return html
