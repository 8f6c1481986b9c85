"""Saying that other programs slow a training on a processor down, and what to do about it."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from lightning_utilities.core.rank_zero import rank_zero_warn

from ae_lightning.machine.processors import seconds_waited

SECONDS = 10.0
MAX_SHARE = 0.2


class _Look(NamedTuple):
    """A look at the clock.

    Attributes:
        time: In seconds.
        waited: What the threads of this process have waited for a processor by then, in seconds, all together.
    """

    time: float
    waited: float


class ProcessorWatch(Callback):
    """Warns once where the threads of a training wait for a processor for a fifth of ten seconds of training steps.

    PyTorch's threads meet after every operation, and spin until all are there. Where one of them has no processor, the
    others use theirs up at this: beside one busy program two threads take three times as long as by themselves, and
    longer than one thread. Fewer threads round sums otherwise, so that is the user's choice.
    """

    def __init__(self) -> None:
        self._is_due = False
        self._last: _Look | None = None
        self._elapsed = self._waited = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Watch where several threads compute, and the system tells how long they wait."""
        computes_here = trainer.strategy.root_device.type == "cpu" and torch.get_num_threads() > 1
        self._is_due = computes_here and seconds_waited() is not None
        self._last, self._elapsed, self._waited = None, 0.0, 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look at the clock."""
        self._look()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Look at the clock, if it is time."""
        if self._last is None or time.monotonic() >= self._last.time + SECONDS:
            self._look()

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop the clock: measures and pictures are made by more threads, which may wait for each other."""
        self._stop()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop the clock, likewise; after a validation it is stopped already."""
        self._stop()

    def _stop(self) -> None:
        if self._last is not None:
            self._look()
            self._last = None

    def _look(self) -> None:
        if not self._is_due or (waited := seconds_waited()) is None:
            return
        now, last = _Look(time.monotonic(), waited), self._last
        self._last = now
        if last is not None:
            self._elapsed += now.time - last.time
            self._waited += now.waited - last.waited
        if self._elapsed >= SECONDS:
            self._judge(torch.get_num_threads())
            self._elapsed = self._waited = 0.0

    def _judge(self, num_threads: int) -> None:
        share = self._waited / (self._elapsed * num_threads)
        if share > MAX_SHARE:
            self._is_due = False
            rank_zero_warn(
                f"other programs keep the processors busy: this training's {num_threads} threads wait for one "
                f"{share:.0%} of the time, and then for each other; with OMP_NUM_THREADS={num_threads // 2} it may be "
                "several times as fast"
            )
