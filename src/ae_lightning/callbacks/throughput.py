"""Images per second."""

from __future__ import annotations

import time
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback

from ae_lightning.data.batch import Batch

THROUGHPUT = "train/images_per_second"


class Throughput(Callback):
    """Measures how many images a second all ranks together train on, validation apart.

    Logs `train/images_per_second` once an epoch. The count starts when an epoch's first batch is done.

    Attributes:
        images_per_second: Of the epoch so far; 0 before its second batch is done.
    """

    def __init__(self) -> None:
        self.images_per_second = 0.0
        self._num_images = 0
        self._start: float | None = None
        self._paused_at: float | None = None

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start a new count."""
        self._num_images = 0
        self._start = None

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        """Count the global batch."""
        now = time.perf_counter()
        if self._start is None:
            self._start = now
            return
        self._num_images += batch.global_size
        self.images_per_second = self._num_images / (now - self._start)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop the clock."""
        self._paused_at = time.perf_counter()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Let the clock go on."""
        if self._start is not None and self._paused_at is not None:
            self._start += time.perf_counter() - self._paused_at

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log the epoch's rate."""
        if self._num_images:
            pl_module.log(THROUGHPUT, self.images_per_second, rank_zero_only=True)
