"""What a run prints when it is done: its test measures, PCA beside them, and where to look further."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from ae_lightning.command_line.store_option import OPTION as STORE_OPTION
from ae_lightning.judging.directions import best_of
from ae_lightning.judging.measure import Measure
from ae_lightning.tracking import is_same_store, is_server, shown_uri, tracking_uri_from_environment


def measure_table(stage: str, values: Mapping[str, float], measures: Sequence[Measure] = ()) -> Table:
    """Return a table of a stage's measures beside PCA's, the better of the two in bold.

    Args:
        stage: `val` or `test`.
        values: Metrics by full name, such as `test/mse`.
        measures: Those that gave them; a user's own know which way they are better.
    """
    own = {name.removeprefix(f"{stage}/"): value for name, value in values.items() if name.startswith(f"{stage}/")}
    table = Table(title=f"{stage} split", title_justify="left")
    table.add_column("measure")
    table.add_column("autoencoder", justify="right")
    table.add_column("PCA", justify="right")
    for name, value in own.items():
        pca = own.get(f"pca_{name}")
        if name.startswith("pca_"):
            continue
        if pca is None:
            table.add_row(name, f"{value:.4f}", "")
            continue
        best = best_of(name, (value, pca), measures)
        table.add_row(name, *(f"[bold]{one:.4f}[/bold]" if one == best else f"{one:.4f}" for one in (value, pca)))
    return table


def ui_hint(tracking_uri: str, experiment_id: str | None, run_id: str | None) -> str:
    """Say how to open the MLflow UI at a run."""
    place = f"#/experiments/{experiment_id}/runs/{run_id}"
    uri = shown_uri(tracking_uri)
    if is_server(uri):
        return f"MLflow: {uri.rstrip('/')}/{place}"
    store = "" if uri == "sqlite:///mlflow.db" else f" --backend-store-uri {uri}"
    return f"MLflow: run `mlflow ui{store}` and open http://127.0.0.1:5000/{place}"


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
