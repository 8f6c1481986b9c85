"""Who tracks a training in MLflow."""

from __future__ import annotations

from lightning.pytorch import Trainer

from ae_lightning.tracking.tracker import MLflowTracker


def trackers(trainer: Trainer) -> list[MLflowTracker]:
    """Return a Trainer's MLflow loggers."""
    return [logger for logger in trainer.loggers if isinstance(logger, MLflowTracker)]
