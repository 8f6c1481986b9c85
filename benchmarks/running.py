"""One run of one contender: a program of its own, in a terminal, so that progress bars are drawn as for a user."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.text import Text

from ae_lightning.machine.speedups import KEPT_BYTES
from benchmarks.arguments import Task
from benchmarks.images import Images
from benchmarks.models import FIT_OPTIONS
from benchmarks.results import Epoch, Run
from benchmarks.roster import Contender, Environment

ROOT = Path(__file__).parent.parent
ROWS, COLUMNS = 50, 160
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
MEMORY_VARIABLES = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")
"""glibc's own names for what `ae_lightning.machine.speedups` sets, for programs that do not call it."""


class ContenderError(Exception):
    """A contender cannot be run, or failed: the message says why."""


@dataclass(frozen=True)
class Bench:
    """What all runs have in common.

    Attributes:
        folder: Where everything is written, MLflow's database included.
        threads: Of each contender.
        epochs: That count, after the warm-up.
        pythons: The interpreter of each environment.
    """

    folder: Path
    threads: int
    epochs: int
    pythons: Mapping[Environment, str]

    def run(self, contender: Contender, model: str, batch_size: int, images: Images, *options: str) -> Run:
        """Run a contender once.

        Args:
            contender: What to run.
            model: What it trains.
            batch_size: Images a step.
            images: What it trains on.
            options: Further options of `fit`.

        Raises:
            ContenderError: If it failed, with the last line that it said.
        """
        report = self.folder / "report.jsonl"
        report.unlink(missing_ok=True)
        started_at = time.monotonic()
        task = Task(images.path, model, batch_size, self.epochs, report, started_at, contender.variant)
        if contender.module == "fit":
            program = ["-m", "ae_lightning", *fit_arguments(task, images), *options]
        else:
            program = ["-m", f"benchmarks.contenders.{contender.module}", *task.as_arguments()]
        code, said = run_in_terminal(
            [self.pythons[contender.environment], *program], self._environment(contender), self.folder
        )
        ended_at = time.monotonic()
        if code or not report.exists():
            raise ContenderError(f"exit code {code}: {last_line(said)}")
        epochs = [Epoch(**json.loads(line)) for line in report.read_text(encoding="utf-8").splitlines()]
        return Run(contender.name, model, batch_size, epochs, ended_at - epochs[-1].ended_at)

    def require(self, contender: Contender) -> None:
        """Refuse a contender whose package is not installed.

        Raises:
            ContenderError: If it is not.
        """
        python = self.pythons[contender.environment]
        program = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({contender.package!r}) is None)"
        if subprocess.run([python, "-c", program], env=self._environment(contender), check=False).returncode:
            raise ContenderError(f"{contender.package} is not installed for {Path(python).name}")

    def _environment(self, contender: Contender) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "MALLOC_"))}
        paths = [str(ROOT), *filter(None, [kept.get("PYTHONPATH")])]
        return {
            **kept,
            **dict.fromkeys(THREAD_VARIABLES, str(self.threads)),
            **(dict.fromkeys(MEMORY_VARIABLES, str(KEPT_BYTES)) if contender.keeps_memory else {}),
            "PYTHONPATH": os.pathsep.join(paths),
            "TERM": "xterm-256color",
        }


def fit_arguments(task: Task, images: Images) -> list[str]:
    """Return what a user types for the task after the program's name, and the clock.

    Args:
        task: What to train; its variant is further options.
        images: What to train on.
    """
    clock = "benchmarks.contenders.training_clock.TrainingClock"
    return [
        *("fit", *FIT_OPTIONS[task.model], *images.fit_options),
        *("--data.batch_size", str(task.batch_size)),
        *("--trainer.max_epochs", str(task.num_epochs)),
        *("--trainer.accelerator", "cpu"),
        *("--trainer.callbacks+", clock),
        *("--trainer.callbacks.report", str(task.report), "--trainer.callbacks.started_at", str(task.started_at)),
        *task.variant.split(),
    ]


def run_in_terminal(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> tuple[int, str]:
    """Run a program whose standard streams are a terminal of its own.

    Args:
        command: The program and its arguments.
        environment: Its environment variables.
        folder: Its working directory.

    Returns:
        Its exit code, and what it said.
    """
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    with subprocess.Popen(command, stdin=its, stdout=its, stderr=its, env=environment, cwd=folder) as process:
        os.close(its)
        said = _read_all(ours)
    os.close(ours)
    return process.returncode, said


def last_line(said: str) -> str:
    """Return the last line that a program drew in its terminal, without colours; empty if it said nothing."""
    lines = (Text.from_ansi(line).plain.strip() for line in re.split(r"[\r\n\b]+", said))
    return next(reversed([line for line in lines if line]), "")


def _read_all(terminal: int) -> str:
    """Read until the last process on the other side has closed it, which is an error on Linux."""
    parts: list[bytes] = []
    while True:
        try:
            part = os.read(terminal, 1 << 16)
        except OSError:
            part = b""
        if not part:
            return b"".join(parts).decode(errors="replace")
        parts.append(part)
