"""What `compare` does once it knows which runs, and where the report goes."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from ae_lightning.command_line.outputs import refusal_of_output, require_writable
from ae_lightning.compare.compared_models import ComparedModel, load_compared_models
from ae_lightning.compare.curves import loss_curves
from ae_lightning.compare.markdown import escaped, to_markdown
from ae_lightning.compare.report import Illustrations, to_html
from ae_lightning.compare.table import Comparison, compare_runs
from ae_lightning.errors import ConfigError
from ae_lightning.judging.drawing.interactive import Scene
from ae_lightning.judging.drawing.latent_scene import latent_scene
from ae_lightning.judging.drawing.plane import to_plane
from ae_lightning.judging.drawing.side_by_side import worst_side_by_side
from ae_lightning.judging.pictures.latent_grid import latent_grid
from ae_lightning.tracking import shown_uri, tracking_uri_from_environment
from ae_lightning.tracking.comparison import RunReader, TrackedRun
from ae_lightning.variants import find_variants
from ae_lightning.whole_files import replacing

REPORT, TABLE = "report.html", "table.md"
CURVES = ("train/loss", "val/loss")
MAX_POINTS = 400
"""Codes that a scatter shows, each with its image in the page."""


def compare(options: argparse.Namespace) -> None:
    """Compare runs and write the report.

    Args:
        options: Of the command line.

    Raises:
        UserError: If there is nothing to compare, or the runs or the folder cannot be used.
    """
    find_variants()
    folder = _make_folder(options.output)
    reader = RunReader(options.tracking_uri or tracking_uri_from_environment())
    runs = _chosen(reader, options)
    comparison = compare_runs(runs, options.stage)
    if not comparison.rows:
        raise ConfigError(f"compare: none of the {len(runs)} runs found has measures of the {options.stage} split")
    title = "Comparison: " + ", ".join(dict.fromkeys(reader.experiment_name(run.experiment_id) for run in runs))
    illustrations = _illustrate(reader, comparison)
    table = f"# {escaped(title)}\n\n{to_markdown(comparison)}"
    _write({folder / TABLE: table, folder / REPORT: to_html(comparison, illustrations, title)})
    compared = [run for row in comparison.rows for run in row.runs]
    kept = reader.keep([folder / REPORT, folder / TABLE], compared[0].experiment_id, [run.run_id for run in compared])
    console = Console()
    console.print(table, soft_wrap=True, highlight=False, markup=False)
    console.print(f"{folder / REPORT}; kept in MLflow as run {kept}", soft_wrap=True, highlight=False, markup=False)


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


def _illustrate(reader: RunReader, comparison: Comparison) -> Illustrations:
    models = load_compared_models(comparison.rows, comparison.stage)
    worst = None
    if models.found and models.found[0].encoded.holds_images:
        encoded = models.found[0].encoded
        outputs = {
            model.label: model.encoded.reconstructions
            for model in models.found
            if model.encoded.reconstructions is not None
        }
        worst = worst_side_by_side(encoded.x, outputs, encoded.labels, models.found[0].class_names)
    return Illustrations(
        worst=worst,
        scatters={model.label: _scatter(model) for model in models.found},
        grids={
            model.label: latent_grid(model.decoded_grid) for model in models.found if model.decoded_grid is not None
        },
        curves=[loss_curves(_histories(reader, comparison, metric), metric) for metric in CURVES],
        left_out=models.left_out,
    )


def _scatter(model: ComparedModel) -> Scene:
    encoded = model.encoded
    plane = to_plane(encoded.codes)
    images = encoded.x if encoded.holds_images else None
    return latent_scene(plane, images, encoded.labels, model.class_names, MAX_POINTS)


def _histories(reader: RunReader, comparison: Comparison, metric: str) -> dict[str, list[tuple[int, float]]]:
    return {row.label: reader.history(row.runs[0].run_id, metric) for row in comparison.rows if row.runs}
