"""What a run prints when it is done: its test measures, PCA beside them, and where to look further."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, get_args

from lightning.pytorch import Trainer
from rich.console import Console
from rich.table import Table

from ae_lightning.callbacks.recording import num_parameters
from ae_lightning.command_line.store_option import OPTION as STORE_OPTION
from ae_lightning.command_line.ui import DEFAULT_PORT
from ae_lightning.data.data_line import data_line
from ae_lightning.data.foreign import SeenData
from ae_lightning.judging.directions import ARROWS, BEST, best_places, measure_of
from ae_lightning.judging.measure import Goal, Measure
from ae_lightning.models.autoencoder import Autoencoder
from ae_lightning.tracking import is_same_store, is_server, run_page, shown_uri, tracking_uri_from_environment
from ae_lightning.tracking.web_server import address

ORDER = ("minimise", *get_args(Goal))
"""Sections of the table."""


class MeasureRow(NamedTuple):
    """A line of a table of measures.

    Attributes:
        goal: Of the measure; `minimise` of a term of the objective.
        begins_section: Whether the line before has another goal.
        heading: Name and direction.
        values: The model's in words, and PCA's where there is one.
        better: Which of the two is the better one, and marked: 0, 1 or both; none where there is one alone.
    """

    goal: str
    begins_section: bool
    heading: str
    values: tuple[str, ...]
    better: frozenset[int]


def measure_rows(own: Mapping[str, float], measures: Sequence[Measure] = ()) -> Iterator[MeasureRow]:
    """Yield measures beside PCA's, by goal, the better of the two marked.

    Args:
        own: Metrics of one split by name, PCA's as `pca_NAME`.
        measures: Those that gave them; a user's own know which way they are better.
    """
    given = {name: measure_of(name, measures) for name in own if not name.startswith("pca_")}
    goals = {name: "minimise" if measure is None else measure.goal for name, measure in given.items()}
    before = ""
    for name in sorted(given, key=lambda name: ORDER.index(goals[name])):
        measure = given[name]
        direction = "" if measure is None else ARROWS.get(measure.metrics[name], "")
        pair = [own[key] for key in (name, f"pca_{name}") if key in own]
        better = best_places(name, pair, measures) if len(pair) > 1 else frozenset()
        shown = tuple(f"{BEST} {value:.4f}" if place in better else f"{value:.4f}" for place, value in enumerate(pair))
        yield MeasureRow(goals[name], goals[name] != before, f"{name} {direction}".rstrip(), shown, better)
        before = goals[name]


def measure_table(stage: str, values: Mapping[str, float], measures: Sequence[Measure] = ()) -> Table:
    """Return the table of a stage's measures, see `measure_rows`.

    Args:
        stage: `val` or `test`.
        values: Metrics by full name, such as `test/mse`.
        measures: Those that gave them.
    """
    table = Table(title=f"{stage} split", title_justify="left")
    table.add_column("to")
    table.add_column("measure")
    table.add_column("autoencoder", justify="right")
    table.add_column("PCA", justify="right")
    for row in measure_rows(of_stage(stage, values), measures):
        if row.begins_section:
            table.add_section()
        cells = (f"[bold]{text}[/bold]" if place in row.better else text for place, text in enumerate(row.values))
        table.add_row(row.goal if row.begins_section else "", row.heading, *cells)
    return table


def of_stage(stage: str, values: Mapping[str, float]) -> dict[str, float]:
    """Return the metrics of a stage by their names without it."""
    return {name.removeprefix(f"{stage}/"): value for name, value in values.items() if name.startswith(f"{stage}/")}


def ui_hint(tracking_uri: str, experiment_id: str | None, run_id: str | None) -> str:
    """Say how to look at a run, and at the others of its experiment."""
    uri = shown_uri(tracking_uri)
    is_default = is_same_store(tracking_uri, tracking_uri_from_environment())
    command = f"python -m ae_lightning ui{'' if is_default else f' --tracking_uri {shlex.quote(uri)}'}"
    page = run_page(uri if is_server(uri) else address(DEFAULT_PORT), experiment_id, run_id)
    return f"MLflow: `{command}` shows all runs, {page} this one"


def tell_of_data(trainer: Trainer, data: SeenData) -> None:
    """Say in one line what was understood of the data, on the first rank."""
    if trainer.is_global_zero:
        sizes = {name: data.num_samples(name) for name in data.split_names}
        line = data_line(data.dataset_name, data.spec.shape, sizes, data.class_names, data.notes)
        Console(stderr=True).print(line, highlight=False, soft_wrap=True, markup=False)


def announce(trainer: Trainer, model: Autoencoder, data: SeenData) -> None:
    """Say on the first rank what the data are, and in one line what is about to run."""
    tell_of_data(trainer, data)
    if trainer.is_global_zero:
        Console(stderr=True).print(_announcement(trainer, model, data), highlight=False, soft_wrap=True)


def _announcement(trainer: Trainer, model: Autoencoder, data: SeenData) -> str:
    return (
        f"{type(model).__name__}, latent_dim {model.latent_dim}, {num_parameters(model):,} parameters on "
        f"{data.dataset_name}, {trainer.precision} on {trainer.world_size} × {trainer.strategy.root_device.type}"
    )


def resume_hint(tracking_uri: str, run_id: str | None) -> str:
    """Say how to go on with a run; a password in its store's address is left for the user to put back."""
    is_default = is_same_store(tracking_uri, tracking_uri_from_environment())
    option = "" if is_default else f" {STORE_OPTION} {shlex.quote(shown_uri(tracking_uri))}"
    return f"fit --resume {run_id}{option}"


def print_report(stage: str, values: Mapping[str, float], hints: list[str], measures: Sequence[Measure] = ()) -> None:
    """Print the table and the hints to standard output."""
    console = Console()
    console.print(measure_table(stage, values, measures))
    for hint in hints:
        console.print(hint, soft_wrap=True, highlight=False, markup=False)
