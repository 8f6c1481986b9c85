"""Measure `fit` beside bare loops and other packages, in turns, on the same model, batches and images.

Each round runs every contender once, each as a program of its own with the same environment; only whole training
epochs after a warm-up count. `docs/performance.md` says how to make the environments of the other packages.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console

from ae_lightning.tracking import connect
from benchmarks.conditions import load, read_conditions
from benchmarks.findings import write_findings
from benchmarks.images import Images, prepare_images
from benchmarks.models import NETWORKS
from benchmarks.options import driver_parser, exit_code_of, positive, side_in_pixels
from benchmarks.results import Run, summarise
from benchmarks.roster import CONTENDERS, DEFAULT, Contender
from benchmarks.running import Bench, ContenderError
from benchmarks.tables import write_tables


def main(arguments: list[str] | None = None) -> int:
    """Measure what the command line asks for.

    Args:
        arguments: Without the program's name; by default those of the process.

    Returns:
        The exit code: 1 if a contender failed.
    """
    options = parse(arguments)
    conditions = read_conditions(options.threads)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bench = Bench(folder, options.threads, options.epochs, pythons_of(options))
        # Its migrations take seconds that no later run pays again.
        connect(f"sqlite:///{folder / 'mlflow.db'}")
        images = prepare_images(options.data, options.num_images, options.side, folder)
        series = Series(bench, images, options)
        contenders = series.installed([CONTENDERS[contender] for contender in options.contenders])
        for number in range(1, options.rounds + 1):
            series.run_round(number, contenders)
            conditions["load_after"] = load()
            series.write(conditions)
    return 1 if series.failed else 0


class Series:
    """The runs of all rounds.

    Args:
        bench: Where they run.
        images: What they train on.
        options: Of the command line.

    Attributes:
        failed: Whether a contender that was installed failed.
    """

    def __init__(self, bench: Bench, images: Images, options: argparse.Namespace) -> None:
        self.failed = False
        self._bench = bench
        self._images = images
        self._options = options
        self._runs: list[Run] = []
        self._not_run: dict[str, str] = {}
        self._console = Console(stderr=True, highlight=False)

    def installed(self, contenders: list[Contender]) -> list[Contender]:
        """Return the contenders whose packages are there, and note the others."""
        for contender in contenders:
            try:
                self._bench.require(contender)
            except ContenderError as error:
                self._leave_out(contender, error)
        return [contender for contender in contenders if contender.name not in self._not_run]

    def run_round(self, number: int, contenders: list[Contender]) -> None:
        """Let each contender run once for every model that it can train and every batch size.

        A contender that fails is left out from then on.
        """
        for model in self._options.models:
            for batch_size in self._options.batch_size:
                for contender in contenders:
                    if model in contender.models and contender.name not in self._not_run:
                        self._console.print(f"round {number}: {contender.name}, {model}, batch {batch_size}")
                        self._run(contender, model, batch_size)

    def _run(self, contender: Contender, model: str, batch_size: int) -> None:
        try:
            run = self._bench.run(contender, model, batch_size, self._images)
        except ContenderError as error:
            self.failed = True
            self._leave_out(contender, error)
            return
        self._runs.append(run)
        self._console.print(f"  {run.images_per_second:,.0f} images/s")

    def _leave_out(self, contender: Contender, error: ContenderError) -> None:
        self._not_run[contender.name] = str(error)
        self._console.print(f"{contender.name} is left out: {error}", markup=False)

    def write(self, conditions: dict[str, Any]) -> None:
        """Write what there is so far, so that an interrupted series is not lost."""
        rows = summarise(self._runs)
        found = {
            "conditions": conditions,
            "command": vars(self._options),
            "not_run": self._not_run,
            "summary": [row.as_dict() for row in rows],
            "runs": [run.as_dict() for run in self._runs],
        }
        write_findings(self._options, found, write_tables(rows, self._not_run, conditions))


def pythons_of(options: argparse.Namespace) -> dict[Any, str]:
    """Return the interpreter of each environment."""
    return {"own": sys.executable, "keras": options.python_keras, "pythae": options.python_pythae}


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = driver_parser(__doc__)
    parser.add_argument("--batch-size", type=positive, nargs="+", default=[128], help="images a step (default: 128)")
    parser.add_argument("--models", nargs="+", choices=NETWORKS, default=["vanilla"], help="(default: vanilla)")
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=DEFAULT, help="(default: all)")
    default_data = "mnist" if os.environ.get("AE_LIGHTNING_DATA") else "generated"
    parser.add_argument("--data", choices=("mnist", "generated"), default=default_data, help="(here: %(default)s)")
    parser.add_argument("--num-images", type=positive, default=55_000, help="to generate (default: 55,000)")
    parser.add_argument(
        "--side", type=side_in_pixels, default=28, help="pixels of a generated image's side (default: 28)"
    )
    parser.add_argument("--python-keras", default=sys.executable, help="interpreter that has TensorFlow")
    parser.add_argument("--python-pythae", default=sys.executable, help="interpreter that has pythae")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(exit_code_of(main))
