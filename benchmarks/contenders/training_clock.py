"""The clock as a callback: the one thing that a measured `fit` has and a user's has not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback

from ae_lightning.data.batch import Batch
from benchmarks.clock import EpochClock


class TrainingClock(Callback):
    """Measures the training epochs of a `fit`.

    Args:
        report: File for the clock's lines.
        started_at: When the program was started, of `time.monotonic`.
    """

    def __init__(self, report: str, started_at: float) -> None:
        self._clock = EpochClock(Path(report), started_at)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin an epoch."""
        self._clock.begin_epoch()

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        """Count a step."""
        self._clock.step(batch.global_size)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the epoch's line."""
        self._clock.end_epoch(sum(parameter.numel() for parameter in pl_module.parameters()))
