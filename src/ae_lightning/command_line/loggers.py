"""The loggers of a run: what MLflow does not keep of it goes to a folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.loggers import Logger

from ae_lightning.callbacks.checkpointing import RunCheckpoint
from ae_lightning.command_line.report import resume_hint, ui_hint
from ae_lightning.tracking import FolderLogger, MLflowTracker, run_loggers


def loggers_of(settings: Mapping[str, Any], names: tuple[str, str], checkpoint: RunCheckpoint | None) -> Any:
    """Return the loggers of a run: those that were asked for, and its folder where it trains and none is MLflow's.

    Args:
        settings: Of the Trainer, its loggers built.
        names: Of experiment and run, where the user gave none.
        checkpoint: Knows where the folders of runs are; None for what judges alone, and leaves a run as it is.

    Returns:
        What the Trainer takes as its `logger`. Where loggers and checkpoints are both refused, nothing is kept.

    Raises:
        ConfigError: If there can be no folder for the run.
    """
    given = settings.get("logger")
    several = [logger for logger in (given if isinstance(given, list) else [given]) if isinstance(logger, Logger)]
    in_mlflow = [logger for logger in several if isinstance(logger, MLflowTracker)]
    for tracker in in_mlflow:
        tracker.keeps_status = checkpoint is None
        tracker.suggest_names(*names)
    has_checkpoints = settings.get("enable_checkpointing") is not False
    if checkpoint is None or not (has_checkpoints or (not in_mlflow and given is not False)):
        return given
    # Before the run is opened.
    directory = checkpoint.make_directory(is_in_mlflow=bool(in_mlflow))
    return given if in_mlflow else [*several, FolderLogger(directory, names[1].partition(" ")[0], checkpoint.begun)]


def resume_hints(trainer: Trainer) -> list[str]:
    """Say how to go on with the runs of a Trainer, and what MLflow does not have of them."""
    return [
        f"fit --resume {logger.folder}"
        if isinstance(logger, FolderLogger)
        else "\n".join([resume_hint(logger.tracking_uri, logger.run_id), *logger.undelivered])
        for logger in run_loggers(trainer)
    ]


def run_hints(trainer: Trainer) -> list[str]:
    """Say where to look at the runs of a Trainer, and what of them waits on disk."""
    hints: list[str] = []
    for logger in run_loggers(trainer):
        if isinstance(logger, FolderLogger):
            hints.append(f"configuration, metrics and pictures: {logger.folder}")
            continue
        hints.append(ui_hint(logger.tracking_uri, logger.experiment_id, logger.run_id))
        hints.extend(logger.undelivered)
    return hints
