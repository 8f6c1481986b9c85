"""The loggers of a Trainer that keep a run."""

from __future__ import annotations

from lightning.pytorch import Trainer

from ae_lightning.tracking.run_folder import FolderLogger
from ae_lightning.tracking.tracker import MLflowTracker


def trackers(trainer: Trainer) -> list[MLflowTracker]:
    """Return those that keep it in MLflow."""
    return [logger for logger in trainer.loggers if isinstance(logger, MLflowTracker)]


def run_loggers(trainer: Trainer) -> list[MLflowTracker | FolderLogger]:
    """Return those that keep all that it leaves, in MLflow or in a folder."""
    return [logger for logger in trainer.loggers if isinstance(logger, MLflowTracker | FolderLogger)]
