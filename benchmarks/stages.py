"""Where the time of one command of `ae_lightning` goes, stage by stage, of several checkouts in turn.

    python -m benchmarks.stages --source before=../before/src --source now=src -- fit -c vae --trainer.max_epochs 50

Each run is a program of its own in an empty folder, so that there is neither a database nor a cache. A stage's seconds
are those on the clock and those of the processor: on a machine that does other work too, the second ones say more.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
REPORT = "STAGES_REPORT"
"""Environment variable that names the file for a child's report."""

TIMED = {
    "parse": ("ae_lightning.command_line.cli", "AutoencoderCLI.parse_arguments"),
    "build": ("ae_lightning.command_line.cli", "AutoencoderCLI.instantiate_classes"),
    "open MLflow": ("ae_lightning.tracking.tracker", "MLflowTracker.open"),
    "train": ("lightning.pytorch", "Trainer.fit"),
    "log the model": ("ae_lightning.command_line.cli", "log_best_model"),
    "encode": ("ae_lightning.callbacks.evaluation", "encode_split"),
    "measure": ("ae_lightning.callbacks.evaluation", "judge"),
    "draw": ("ae_lightning.callbacks.evaluation", "Evaluation._draw"),
    "close MLflow": ("ae_lightning.tracking.tracker", "MLflowTracker.finalize"),
}
"""Stages, and the functions that are timed for them; what one calls of another counts for the other alone."""


class Stages:
    """Seconds by stage.

    Attributes:
        seconds: On the clock and of the processor.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}
        self._inner: list[list[float]] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what is surrounded, less the stages within."""
        start = time.perf_counter(), time.process_time()
        self._inner.append([0.0, 0.0])
        try:
            yield
        finally:
            whole = [time.perf_counter() - start[0], time.process_time() - start[1]]
            inner = self._inner.pop()
            for place, kind in enumerate(whole):
                self.seconds.setdefault(name, [0.0, 0.0])[place] += kind - inner[place]
                if self._inner:
                    self._inner[-1][place] += kind

    def time(self, name: str, module: str, path: str) -> None:
        """Time a function, or a method of a class, from here on."""
        *owners, attribute = path.split(".")
        owner: Any = functools.reduce(getattr, owners, import_module(module))
        function: Callable[..., Any] = getattr(owner, attribute)

        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.stage(name):
                return function(*args, **kwargs)

        setattr(owner, attribute, timed)


def run_child(arguments: list[str]) -> int:
    """Run the command in this process, and write the seconds of its stages."""
    stages = Stages()
    try:
        with stages.stage("rest"):
            program = import_module("ae_lightning.__main__")
            # The program's own way to import, in checkouts that have one.
            resting = getattr(program, "resting", nullcontext)
            with stages.stage("import torch and lightning"), resting():
                import_module("torch")
                import_module("lightning")
            with stages.stage("import the package"), resting():
                import_module("ae_lightning.command_line.launch")
                for name, (module, path) in TIMED.items():
                    stages.time(name, module, path)
            sys.argv = ["ae_lightning", *arguments]
            code: int = program.main()
            return code
    finally:
        Path(os.environ[REPORT]).write_text(json.dumps(stages.seconds), encoding="utf-8")


def run(source: Path, arguments: Sequence[str], folder: Path) -> dict[str, list[float]]:
    """Run the command of a checkout in a folder, and return the seconds of its stages.

    Raises:
        CalledProcessError: If it fails.
    """
    report = folder / "stages.json"
    environment = {**os.environ, REPORT: str(report), "PYTHONPATH": f"{source.resolve()}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-m", "benchmarks.stages", "--", *arguments]
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    found: dict[str, list[float]] = json.loads(report.read_text(encoding="utf-8"))
    return {**found, "in all": [sum(column) for column in zip(*found.values(), strict=True)]}


def table(runs: dict[str, list[dict[str, list[float]]]]) -> str:
    """Return a Markdown table of the medians over the rounds: a row a stage, processor and clock of each source."""
    names = list(dict.fromkeys(stage for own in runs.values() for one in own for stage in one))
    heads = [f"{source}, {kind}" for source in runs for kind in ("processor-s", "s")]
    lines = [f"| stage | {' | '.join(heads)} |", f"| --- |{' --: |' * len(heads)}"]
    for name in names:
        cells = [
            f"{statistics.median(one.get(name, [0.0, 0.0])[place] for one in own):.1f}"
            for own in runs.values()
            for place in (1, 0)
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Let the checkouts take turns, and print the table after every round."""
    if REPORT in os.environ:
        return run_child(arguments[1:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", action="append", required=True, metavar="NAME=FOLDER", help="a checkout's src")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("command", nargs=argparse.REMAINDER, help="-- and the command's arguments")
    options = parser.parse_args(arguments)
    sources = dict(source.split("=", 1) for source in options.source)
    runs: dict[str, list[dict[str, list[float]]]] = {name: [] for name in sources}
    for _ in range(options.rounds):
        for name, source in sources.items():
            with tempfile.TemporaryDirectory() as folder:
                runs[name].append(run(Path(source), options.command[1:], Path(folder)))
        sys.stdout.write(table(runs) + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
