"""Saying that other programs slow a training on a processor down, and what to do about it."""

from __future__ import annotations

import time
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from lightning_utilities.core.rank_zero import rank_zero_warn

from ae_lightning.machine.processors import seconds_waited

SECONDS = 10.0
MAX_SHARE = 0.2


class ProcessorWatch(Callback):
    """Warns once where the threads of a training wait for a processor for a fifth of ten seconds.

    PyTorch's threads meet after every operation, and spin until all are there. Where one of them has no processor, the
    others use theirs up at this: beside one busy program two threads take two to eight times as long as by themselves,
    and longer than one thread. Fewer threads round sums otherwise, so that is the user's choice.
    """

    def __init__(self) -> None:
        self._began: tuple[float, float] | None = None
        self._is_due = False

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Watch where several threads compute, and the system tells how long they wait."""
        computes_here = trainer.strategy.root_device.type == "cpu" and torch.get_num_threads() > 1
        self._is_due = computes_here and seconds_waited() is not None

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin anew: between two epochs other threads compute too."""
        self._began = None

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Look, if it is time."""
        now = time.monotonic()
        if not self._is_due or (self._began is not None and now < self._began[0] + SECONDS):
            return
        waited = seconds_waited()
        if waited is None:
            return
        num_threads = torch.get_num_threads()
        if self._began is not None:
            share = (waited - self._began[1]) / ((now - self._began[0]) * num_threads)
            if share > MAX_SHARE:
                self._is_due = False
                rank_zero_warn(
                    f"other programs keep the processors busy: this training's {num_threads} threads wait for one "
                    f"{share:.0%} of the time, and then for each other; with OMP_NUM_THREADS={num_threads // 2} it may "
                    "be several times as fast"
                )
        self._began = now, waited
