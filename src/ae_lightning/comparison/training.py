"""How the runs of a comparison got to where they are: errors on one axis, each objective on its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ae_lightning.comparison.contest import Contest, Row
from ae_lightning.comparison.curves import Curve, Panel, draw_curves
from ae_lightning.comparison.table import Comparison, short_number

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

History = Callable[[str, str], Sequence[tuple[int, float]]]
"""From a run's id and the name of a metric to step and value of all that was logged of it."""

ERROR, ERROR_OF_PCA = "val/mse", "val/pca_mse"

LOSSES = ("val/loss", "train/loss")
"""An objective on the validation split, and on each batch."""

NOT_OF_THE_OBJECTIVE = ("model.network", "model.optimizer", "model.scheduler")
"""Settings of a model that change how its objective is minimised, and not what it is."""


def training_curves(comparison: Comparison, rows: Sequence[Row], history: History) -> list[Figure]:
    """Draw the first run of each row over the steps of training.

    Args:
        comparison: What is compared.
        rows: Its rows, in the order of the legend.
        history: Reads what was logged.

    Returns:
        The errors of reconstruction, which measure the same whatever is minimised, with PCA's; and the objectives, a
        panel for all that minimise the same. What was not logged is in neither.
    """
    labels = [row.label for row in rows]
    errors = [_errors(contest, rows, history) for contest in comparison.contests(by_latent_dim=False)]
    figures = (
        draw_curves(errors, f"Error of reconstruction while training ({ERROR}): the same measure for all", labels),
        draw_curves(
            _objectives(comparison, rows, history),
            f"What each minimises ({LOSSES[0]}; faint: {LOSSES[1]}): not to be compared from one panel to another",
            labels,
        ),
    )
    return [figure for figure in figures if figure is not None]


def _errors(contest: Contest, rows: Sequence[Row], history: History) -> Panel:
    curves: list[Curve] = []
    levels: dict[str, float] = {}
    baselines = {row.stands_beside: row.label for row in contest.rows if row.is_baseline}
    for row in rows:
        if row.runs and row in contest.rows:
            curves.append(Curve(row.label, history(row.runs[0].run_id, ERROR)))
            pca, label = history(row.runs[0].run_id, ERROR_OF_PCA), baselines.get(row.stands_beside)
            if pca and label is not None:
                levels.setdefault(label, pca[-1][1])
    return Panel(contest.name, curves, levels)


def _objectives(comparison: Comparison, rows: Sequence[Row], history: History) -> list[Panel]:
    panels: dict[str, list[Curve]] = {}
    for row in rows:
        if row.runs:
            curves = panels.setdefault(objective(row, comparison), [])
            for metric in LOSSES:
                points = history(row.runs[0].run_id, metric)
                curves.append(Curve(row.label, points, is_faint=metric != LOSSES[0]))
    return [Panel(name, curves, {}) for name, curves in panels.items()]


def objective(row: Row, comparison: Comparison) -> str:
    """Say what a row minimises: of rows that minimise the same, the same.

    Args:
        row: Of the comparison.
        comparison: Knows short names of settings.
    """
    told = {
        key: value
        for key, value in row.settings.items()
        if key in row.judged_on or (key.startswith("model.") and not _is_of_the_training(key))
    }
    return ", ".join([row.variant, *(f"{comparison.names[key]} {short_number(value)}" for key, value in told.items())])


def _is_of_the_training(key: str) -> bool:
    return key.startswith(NOT_OF_THE_OBJECTIVE) or "optimizer" in key
