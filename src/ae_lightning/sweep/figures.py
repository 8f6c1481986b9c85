"""Optuna's plots of a study: HTML to hover over, PNG to look at."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from matplotlib import pyplot
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from optuna.trial import FrozenTrial, TrialState
from optuna.visualization import matplotlib as still

from ae_lightning.machine.matplotlib_defaults import matplotlib_defaults
from ae_lightning.sweep.study_file import StudyFile

Target = Callable[[FrozenTrial], float]

OF_AN_OBJECTIVE = {
    "history": "plot_optimization_history",
    "importances": "plot_param_importances",
    "slice": "plot_slice",
    "contour": "plot_contour",
    "parallel_coordinates": "plot_parallel_coordinate",
}
"""Functions of Optuna's, by the name of the plot, that show one objective."""

PANEL_INCHES = 3.5
"""Side of a panel in a figure of several."""

MIN_TRIALS = 2
"""Complete trials that a plot needs to show anything."""


@matplotlib_defaults()
def write_figures(study: optuna.Study, file: StudyFile, folder: Path) -> None:
    """Write every plot that the study has trials enough for, as NAME.html and NAME.png."""
    complete = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    if len(complete) < MIN_TRIALS:
        return
    with warnings.catch_warnings():
        # Experimental functions, and parameters that did not vary.
        warnings.simplefilter("ignore")
        for name, function, options in _plots(study, file):
            _write(name, function, study, options, folder)


def _plots(study: optuna.Study, file: StudyFile) -> Iterator[tuple[str, str, dict[str, Any]]]:
    several = len(file.objectives) > 1
    for position, objective in enumerate(file.objectives):
        options: dict[str, Any] = {"target_name": objective}
        if several:
            options["target"] = _target(position)
        for name, function in OF_AN_OBJECTIVE.items():
            yield f"{name}_{objective.replace('/', '_')}" if several else name, function, options
    if several and len(file.objectives) <= 3:
        yield "pareto_front", "plot_pareto_front", {"target_names": list(file.objectives)}


def _target(position: int) -> Target:
    return lambda trial: trial.values[position]


def _write(name: str, function: str, study: optuna.Study, options: dict[str, Any], folder: Path) -> None:
    try:
        figure = getattr(optuna.visualization, function)(study, **options)
        axes = getattr(still, function)(study, **options)
    except (ValueError, RuntimeError):
        # Nothing to show yet: a parameter that took one value only, or trials that all came out alike.
        return
    figure.write_html(folder / f"{name}.html", include_plotlyjs=True)
    drawn: Figure = np.ravel(axes)[0].figure
    _make_legible(drawn, np.atleast_2d(axes).shape)
    drawn.savefig(folder / f"{name}.png", dpi=120, bbox_inches="tight")
    pyplot.close(drawn)


def _make_legible(figure: Figure, panels: tuple[int, ...]) -> None:
    """Give each panel room for its labels, which Optuna draws over one another."""
    rows, columns = panels
    if rows * columns == 1:
        return
    figure.set_size_inches(PANEL_INCHES * columns, PANEL_INCHES * rows)
    for axes in figure.axes:
        axes.tick_params(axis="x", labelrotation=30)
        for axis in (axes.xaxis, axes.yaxis):
            if axis.get_scale() == "log":
                axis.set_minor_formatter(NullFormatter())
