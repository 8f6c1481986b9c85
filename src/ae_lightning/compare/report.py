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

from ae_lightning.compare.table import FINISHED, PCA, UNFINISHED, Comparison, Row
from ae_lightning.judging.drawing.interactive import Scene, fragment
from ae_lightning.judging.drawing.style import to_png

if TYPE_CHECKING:
    from plotly.graph_objects import Figure as InteractiveFigure

TEMPLATE = "report.html"
BASELINE = "Every number stands beside PCA's at the same latent_dim on the same images."


@dataclass(frozen=True)
class Illustrations:
    """What a report shows besides its numbers.

    Attributes:
        worst: The worst reconstructions of all, if any could be made.
        scatters: Scatters of the codes whose images are seen by hovering, by label.
        grids: Decoded grids of two-dimensional codes, by label.
        curves: Loss curves.
        left_out: Label and reason of what is in no picture.
    """

    worst: Figure | None = None
    scatters: Mapping[str, Scene] = field(default_factory=dict)
    grids: Mapping[str, Figure] = field(default_factory=dict)
    curves: Sequence[InteractiveFigure] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)


def to_html(comparison: Comparison, illustrations: Illustrations, title: str) -> str:
    """Write the report.

    Args:
        comparison: The numbers.
        illustrations: The pictures.
        title: Of the page.

    Returns:
        A page with its pictures, styles and scripts inside: it asks no other host for anything.
    """
    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
        files("ae_lightning.compare").joinpath(TEMPLATE).read_text(encoding="utf-8")
    )
    runs = [(run, row.label) for row in comparison.rows for run in row.runs]
    return template.render(
        title=title,
        note=" ".join([f"{len(runs)} runs. {comparison.note} {BASELINE}", *([UNFINISHED] * comparison.has_unfinished)]),
        stage=comparison.stage,
        settings=comparison.setting_names(),
        measures=comparison.measures,
        rows=[_row(comparison, row) for row in comparison.rows],
        worst=illustrations.worst and _data_uri(illustrations.worst),
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


def _row(comparison: Comparison, row: Row) -> dict[str, Any]:
    return {
        "variant": row.title,
        "latent_dim": row.latent_dim,
        "is_baseline": row.variant == PCA,
        "is_finished": row.status == FINISHED,
        "settings": [row.settings.get(key, "") for key in comparison.setting_names()],
        "cells": [_cell(comparison, row, name) for name in comparison.measures],
        "num_seeds": len(row.runs),
    }


def _cell(comparison: Comparison, row: Row, measure: str) -> dict[str, Any]:
    value = row.values.get(measure)
    if value is None:
        return {"text": "", "sort_by": "", "is_best": False}
    sort_by = value.mean if math.isfinite(value.mean) else ""
    return {"text": str(value), "sort_by": sort_by, "is_best": comparison.is_best(row, measure)}


def _data_uri(figure: Figure) -> str:
    return f"data:image/png;base64,{base64.b64encode(to_png(figure)).decode()}"


def _embedded(figure: InteractiveFigure) -> str:
    html: str = figure.to_html(full_html=False, include_plotlyjs=False)
    return html
