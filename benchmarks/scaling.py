"""Measure how `fit`'s time per step grows with the batch, with the pixels of an image and with the multiply-adds.

The time is that of the processors: other programs disturb it least.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from ae_lightning.tracking import connect
from benchmarks.conditions import load, read_conditions
from benchmarks.curves import BASE, Curve, Point, draw_curves, write_curves
from benchmarks.findings import write_findings
from benchmarks.images import prepare_images
from benchmarks.options import driver_parser, exit_code_of, positive
from benchmarks.roster import CONTENDERS
from benchmarks.running import Bench
from benchmarks.tables import write_conditions

BATCHES = (128, 256, 512, 1024, 2048, 4096)
SIDES = (28, 56, 84, 112)
FIRST_FILTERS = (16, 32, 64, 128)


def main(arguments: list[str] | None = None) -> int:
    """Measure the three curves.

    Args:
        arguments: Without the program's name; by default those of the process.

    Returns:
        The exit code, 0.
    """
    options = parse(arguments)
    conditions = read_conditions(options.threads)
    curves = planned_curves(options)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bench = Bench(folder, options.threads, options.epochs, {"own": sys.executable})
        connect(f"sqlite:///{folder / 'mlflow.db'}")
        for number in range(1, options.rounds + 1):
            for point in dict.fromkeys(point for curve in curves for point in curve.points):
                Console(stderr=True, highlight=False).print(f"round {number}: {point}")
                seconds = measure(bench, point, options.steps)
                for curve in curves:
                    curve.note(point, seconds)
    conditions["load_after"] = load()
    found = {"conditions": conditions, "curves": [curve.as_dict() for curve in curves]}
    write_findings(options, found, f"{write_curves(curves)}\n\n{write_conditions(conditions)}\n")
    if options.figure is not None:
        draw_curves(curves, options.figure)
    return 0


def planned_curves(options: argparse.Namespace) -> list[Curve]:
    """Return the curves, without measurements yet: each varies one thing of the base model."""
    return [
        Curve("batch", "images a step", [BASE._replace(batch_size=size) for size in options.batch_sizes]),
        Curve("pixels", "pixels an image", [BASE._replace(side=side) for side in options.sides]),
        Curve("multiply_adds", "multiply-adds an image", [BASE._replace(filters=first) for first in options.filters]),
    ]


def measure(bench: Bench, point: Point, num_steps: int) -> float:
    """Return the seconds that processors work for a step of `fit`.

    Args:
        bench: Where it runs.
        point: What is trained.
        num_steps: Of an epoch.
    """
    images = prepare_images("generated", num_steps * point.batch_size, point.side, bench.folder)
    filters = f"[{point.filters}, {2 * point.filters}]"
    options = ("--model.network", "Conv", "--model.network.filters", filters)
    return bench.run(CONTENDERS["fit"], "vanilla", point.batch_size, images, *options).processor_seconds_per_step


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = driver_parser(__doc__)
    parser.add_argument("--steps", type=positive, default=60, help="of an epoch (default: 60)")
    parser.add_argument("--batch-sizes", type=positive, nargs="+", default=BATCHES, help="images a step")
    parser.add_argument("--sides", type=positive, nargs="+", default=SIDES, help="pixels of an image's side")
    parser.add_argument(
        "--filters",
        type=positive,
        nargs="+",
        default=FIRST_FILTERS,
        help="of the first convolution; the second has twice",
    )
    parser.add_argument("--figure", type=Path, help="file for a picture of the curves: .svg or .png")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(exit_code_of(main))
