"""What `compare` does once it knows which runs, and where the report goes."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from matplotlib.figure import Figure
from rich.console import Console
from rich.text import Text

from ae_lightning.command_line.launch import prepare
from ae_lightning.command_line.outputs import refusal_of_output, require_writable
from ae_lightning.command_line.report import ui_hint
from ae_lightning.comparison.compared_models import ComparedModel, load_compared_models
from ae_lightning.comparison.csv_file import to_csv
from ae_lightning.comparison.markdown import answer_in_markdown, escaped, to_markdown
from ae_lightning.comparison.report import Illustrations, to_html
from ae_lightning.comparison.table import Comparison, compare_runs
from ae_lightning.comparison.terminal import to_terminal
from ae_lightning.comparison.training import training_curves
from ae_lightning.errors import ConfigError, unknown_name
from ae_lightning.judging.drawing.interactive import Scene
from ae_lightning.judging.drawing.latent_scene import latent_scene
from ae_lightning.judging.drawing.plane import to_plane
from ae_lightning.judging.drawing.side_by_side import samples_side_by_side, side_by_side
from ae_lightning.judging.goals import DECIDING
from ae_lightning.judging.measure import Goal
from ae_lightning.judging.pictures.latent_grid import latent_grid
from ae_lightning.machine.matplotlib_defaults import matplotlib_defaults
from ae_lightning.tracking import shown_uri, tracking_uri_from_environment
from ae_lightning.tracking.comparison import RunReader, TrackedRun
from ae_lightning.whole_files import replacing

REPORT, TABLE, NUMBERS = "report.html", "table.md", "table.csv"
MAX_POINTS = 400
"""Codes that a scatter shows, each with its image in the page."""


def compare(options: argparse.Namespace) -> None:
    """Compare runs and write the report.

    Args:
        options: Of the command line.

    Raises:
        UserError: If there is nothing to compare, or the runs or the folder cannot be used.
    """
    prepare()
    folder = _make_folder(options.output)
    reader = RunReader(options.tracking_uri or tracking_uri_from_environment())
    runs = _chosen(reader, options)
    comparison = compare_runs(runs, options.stage)
    if not comparison.rows:
        raise ConfigError(f"compare: none of the {len(runs)} runs found has measures of the {options.stage} split")
    goal = ranked_by(comparison, options.goal, "--goal")
    title = "Comparison: " + ", ".join(dict.fromkeys(reader.experiment_name(run.experiment_id) for run in runs))
    illustrations = _illustrate(reader, comparison, goal)
    head = f"# {escaped(title)}\n\n"
    texts = {
        TABLE: f"{head}{to_markdown(comparison, goal, with_all=options.all_columns)}",
        NUMBERS: to_csv(comparison),
        REPORT: to_html(comparison, illustrations, title, goal, with_all=options.all_columns),
    }
    _write({folder / name: text for name, text in texts.items()})
    compared = [run for row in comparison.rows for run in row.runs]
    kept = reader.keep(
        [folder / name for name in texts],
        compared[0].experiment_id,
        [run.run_id for run in compared],
        answer_in_markdown(comparison, goal),
    )
    console = Console()
    console.print(Text(title, style="bold"), soft_wrap=True)
    for part in to_terminal(comparison, goal, console.width, with_all=options.all_columns):
        console.print(part, highlight=False)
    for line in (
        f"{folder / REPORT}; kept in MLflow as run {kept}",
        ui_hint(reader.tracking_uri, compared[0].experiment_id, kept),
        f"every measure and setting: {folder / NUMBERS}, or --all_columns; ranked otherwise: --goal",
    ):
        console.print(line, soft_wrap=True, highlight=False, markup=False)


def ranked_by(comparison: Comparison, wanted: Goal | None, key: str) -> Goal:
    """Return what rows are ranked by: what is wanted, by default the first goal of which something was measured.

    Args:
        comparison: The numbers.
        wanted: The goal as given; None for the default.
        key: What gave it, for the error.

    Raises:
        ConfigError: If there is no such goal, or nothing of it was measured.
    """
    if wanted is not None and wanted not in DECIDING:
        raise ConfigError(unknown_name(key, str(wanted), DECIDING))
    contests = comparison.contests(by_latent_dim=False)
    measured = [goal for goal in DECIDING if any(contest.deciding(goal) for contest in contests)]
    if wanted is not None and wanted not in measured:
        names = ", ".join(DECIDING[wanted])
        raise ConfigError(f"{key} {wanted}: no run has {names}; measured were: {', '.join(measured) or 'none'}")
    return wanted or [*measured, *DECIDING][0]


def _make_folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--output: {folder} cannot be created ({error.strerror})") from error
    require_writable("--output", folder)
    return folder


def _write(texts: Mapping[Path, str]) -> None:
    """Write files, none of which takes its name before all of them are on the disk."""
    with ExitStack() as stack:
        for path, text in texts.items():
            stack.enter_context(refusal_of_output("--output", path))
            stack.enter_context(replacing(path)).write_text(text, encoding="utf-8")


def _chosen(reader: RunReader, options: argparse.Namespace) -> Sequence[TrackedRun]:
    if options.runs:
        runs = reader.by_id(options.runs)
    elif options.filter:
        runs = reader.everywhere(options.filter)
    else:
        runs = reader.of_experiment(options.experiment)
    if not runs:
        raise ConfigError(f"compare: MLflow at {shown_uri(reader.tracking_uri)!r} has no such runs; `fit` makes them")
    return runs


@matplotlib_defaults()
def _illustrate(reader: RunReader, comparison: Comparison, goal: Goal) -> Illustrations:
    rows = [row for one in comparison.contests(by_latent_dim=True) for row in one.in_order(one.deciding(goal))]
    models = load_compared_models(rows, comparison.stage)
    return Illustrations(
        images=_images(models.found),
        scatters={model.label: _scatter(model) for model in models.found},
        grids=_grids(models.found),
        curves=training_curves(comparison, rows, reader.history),
        left_out=models.left_out,
    )


def _images(models: Sequence[ComparedModel]) -> dict[str, Figure]:
    """Draw what all models make of the same images, and what they draw, where samples are images."""
    if not models or not models[0].encoded.holds_images:
        return {}
    encoded = models[0].encoded
    outputs = {
        model.label: model.encoded.reconstructions for model in models if model.encoded.reconstructions is not None
    }
    samples = {model.label: model.samples for model in models if model.samples is not None}
    shown = encoded.x, outputs, encoded.labels, models[0].class_names
    return {
        "Reconstructions of the same images": side_by_side(*shown),
        "Samples": samples_side_by_side(encoded.x, samples),
        "Worst reconstructions, the same images for all": side_by_side(*shown, worst=True),
    }


def _grids(models: Sequence[ComparedModel]) -> dict[str, Figure]:
    """Draw the grids of those models that have one."""
    drawn = {}
    for model in models:
        if model.decoded_grid is not None:
            of_class = "" if model.grid_class is None else f", of class {model.grid_class}"
            title = f"Decoded images over the latent space{of_class}"
            drawn[model.label] = latent_grid(model.decoded_grid, title=title)
    return drawn


def _scatter(model: ComparedModel) -> Scene:
    encoded = model.encoded
    plane = to_plane(encoded.codes)
    images = encoded.x if encoded.holds_images else None
    return latent_scene(plane, images, encoded.labels, model.class_names, MAX_POINTS)
