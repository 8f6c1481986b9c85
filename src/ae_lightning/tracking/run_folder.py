"""Runs that MLflow does not keep: each in a folder of its own, which no other run is given."""

from __future__ import annotations

import csv
import itertools
import os
import shutil
import time
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning_utilities.core.rank_zero import rank_zero_only

from ae_lightning.errors import ConfigError
from ae_lightning.tracking.metric_steps import TEST_PREFIX
from ae_lightning.whole_files import replacing

METRICS_FILE = "metrics.csv"
_COLUMNS = ("step", "metric", "value")


def new_run_folder(directory: Path, name: str) -> Path:
    """Make the folder `NAME-TIME` of a run that begins now.

    Args:
        directory: Where the runs' folders are.
        name: Of the run.

    Raises:
        ConfigError: If it cannot be made.
    """
    begun = f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    try:
        for number in itertools.count(1):
            folder = directory / (begun if number == 1 else f"{begun}-{number}")
            try:
                folder.mkdir(parents=True)
            except FileExistsError:
                # Another run began within the second.
                continue
            return folder
    except OSError as error:
        raise ConfigError(f"checkpoint.directory: {folder} cannot be made ({error.strerror})") from error
    raise AssertionError("numbers do not end")


class FolderLogger(Logger):
    """Keeps configuration, metrics, texts and pictures of a run in its folder, beside its checkpoints.

    `metrics.csv` has a line a value, `step,metric,value`, and grows at its end alone: what a process that is killed has
    written stays.

    Args:
        directory: Where the runs' folders are.
        run_name: What the folder is called, before the time.
        folder: That of a run to go on with.
    """

    def __init__(self, directory: Path, run_name: str, folder: Path | None = None) -> None:
        super().__init__()
        self._directory = directory
        self._run_name = run_name
        self._folder = folder
        self._known: dict[str, tuple[int, str]] | None = None

    @property
    def name(self) -> str:
        """What the run is called."""
        return self._run_name

    @property
    def version(self) -> str:
        """What tells it from others of its name."""
        return "" if self._folder is None else self._folder.name

    @property
    def save_dir(self) -> str | None:
        """The run's folder, once it is there."""
        return None if self._folder is None else str(self._folder)

    @property
    def folder(self) -> Path:
        """The run's folder, made if it is not there yet."""
        self.open()
        assert self._folder is not None
        return self._folder

    @rank_zero_only
    def open(self) -> None:
        """Make the folder, or go on in the one given.

        Raises:
            ConfigError: If it cannot be made.
        """
        if self._folder is None:
            self._folder = new_run_folder(self._directory, self._run_name)
        if self._known is None:
            self._known = _last_values(self._folder / METRICS_FILE)

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """They are all in `config.yaml`."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Write metrics down, but those that a run that is gone on with repeats: of a test, those that are the same."""
        path = self.folder / METRICS_FILE
        at = step or 0
        new = [(at, name, float(value)) for name, value in metrics.items() if self._is_new(at, name, float(value))]
        with path.open("a", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerows([_COLUMNS, *new] if file.tell() == 0 else new)

    def _is_new(self, step: int, name: str, value: float) -> bool:
        assert self._known is not None
        known_step, known_value = self._known.get(name, (-1, ""))
        return step > known_step or (name.startswith(TEST_PREFIX) and repr(value) != known_value)

    @rank_zero_only
    def flush(self) -> None:
        """Wait until the disk has the metrics that were logged so far."""
        with (self.folder / METRICS_FILE).open("ab") as file:
            os.fsync(file.fileno())

    @rank_zero_only
    def log_text(self, text: str, artifact_file: str) -> None:
        """Keep a text; where the run has another of that name, under the next free number: `config.2.yaml`."""
        first = self.folder / artifact_file
        numbered = (first.with_name(f"{first.stem}.{number}{first.suffix}") for number in itertools.count(2))
        for path in itertools.chain([first], numbered):
            if not path.exists():
                with replacing(path) as temporary:
                    temporary.write_text(text, encoding="utf-8")
                return
            if path.read_text(encoding="utf-8") == text:
                return

    @rank_zero_only
    def log_file(self, path: Path, artifact_folder: str) -> None:
        """Keep a copy of a file, in place of what an earlier evaluation of the run left under its name."""
        folder = self.folder / artifact_folder
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / path.name) as temporary:
            shutil.copy(path, temporary)

    def log_picture(self, path: Path, name: str, step: int) -> None:
        """A folder has no grid of pictures; `log_file` keeps them."""

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """A folder has no tags."""


def _last_values(path: Path) -> dict[str, tuple[int, str]]:
    """Return the last step and value of each metric in a file, from which half a line at its end is removed."""
    known: dict[str, tuple[int, str]] = {}
    if not path.exists():
        return known
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    os.truncate(path, len(whole))
    for row in csv.reader(whole.decode("utf-8", "replace").splitlines()):
        if len(row) == len(_COLUMNS) and row[0].isdecimal():
            known[row[1]] = (int(row[0]), row[2])
    return known
