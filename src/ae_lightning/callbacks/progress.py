"""The progress bar: losses and images per second, drawn a few times a second at most."""

from __future__ import annotations

import math
import time
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import ProgressBar
from lightning.pytorch.trainer.states import TrainerFn
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from torch import Tensor

from ae_lightning.callbacks.loss_watch import loss_of
from ae_lightning.callbacks.throughput import Throughput

SHOWN_METRICS = ("train/loss", "val/loss")


class TrainingProgress(ProgressBar):
    """A bar for each epoch, with the losses and images per second, and for each pass of evaluation.

    Reading a loss waits for the device, so it is read only when the bar is drawn. On a stream that is no terminal
    there is no bar, but a line an epoch. What runs between the batches is told by `narration`.

    Args:
        refreshes_per_second: How often the bar is drawn at most.
    """

    def __init__(self, refreshes_per_second: float = 2.0) -> None:
        super().__init__()
        self._console = Console(stderr=True)
        self._interval = 1 / refreshes_per_second
        self._next_drawing = 0.0
        self._is_enabled = True
        self._progress: Progress | None = None
        self._task = TaskID(0)

    def disable(self) -> None:
        """Draw nothing: Lightning asks this of every rank but the first."""
        self._is_enabled = False

    def enable(self) -> None:
        """Draw again."""
        self._is_enabled = True

    @property
    def is_drawn(self) -> bool:
        """Whether there is a bar, and not a line an epoch."""
        return self._is_enabled and self._console.is_terminal

    def pause(self) -> None:
        """Make room for something else to be drawn."""
        if self._progress is not None:
            self._progress.stop()

    def resume(self) -> None:
        """Draw what was there before the pause."""
        if self._progress is not None:
            self._progress.start()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin the epoch's bar."""
        self._begin(self._epoch(trainer), trainer.num_training_batches)

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Draw, if it is time."""
        # The loss of this step: not every one is among the Trainer's metrics.
        self._draw(batch_idx + 1, trainer, loss_of(outputs))

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Say how the epoch ended; the line stays."""
        self._end()
        if self._is_enabled:
            self._console.print(f"{self._epoch(trainer)}  {self._status(trainer)}", highlight=False)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin the bar of a validation outside `fit`; within it, validation is short."""
        if trainer.state.fn == TrainerFn.VALIDATING:
            self._begin("validate", sum(trainer.num_val_batches))

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Draw, if it is time."""
        if trainer.state.fn == TrainerFn.VALIDATING:
            self._draw(batch_idx + 1, trainer)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """End the bar of a validation outside `fit`."""
        if trainer.state.fn == TrainerFn.VALIDATING:
            self._end()

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin the bar of the test."""
        self._begin("test", sum(trainer.num_test_batches))

    def on_test_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Draw, if it is time."""
        self._draw(batch_idx + 1, trainer)

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """End the bar of the test."""
        self._end()

    def on_predict_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin the bar of the prediction."""
        self._begin("predict", sum(trainer.num_predict_batches))

    def on_predict_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Draw, if it is time."""
        self._draw(batch_idx + 1, trainer)

    def on_predict_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """End the bar of the prediction."""
        self._end()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Leave the terminal as it was."""
        self._end()

    def _begin(self, description: str, total: float) -> None:
        self._end()
        if not self.is_drawn:
            return
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[status]}"),
            console=self._console,
            auto_refresh=False,
            transient=True,
        )
        known = None if math.isinf(total) else total
        self._task = self._progress.add_task(description, total=known, status="")
        self._progress.start()

    def _draw(self, completed: int, trainer: pl.Trainer, loss: Tensor | None = None) -> None:
        now = time.monotonic()
        if self._progress is None or now < self._next_drawing:
            return
        self._next_drawing = now + self._interval
        self._progress.update(self._task, completed=completed, status=self._status(trainer, loss))
        self._progress.refresh()

    def _end(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def _epoch(self, trainer: pl.Trainer) -> str:
        last = "" if trainer.max_epochs in (None, -1) else f"/{trainer.max_epochs}"
        return f"epoch {trainer.current_epoch + 1}{last}"

    def _status(self, trainer: pl.Trainer, loss: Tensor | None = None) -> str:
        metrics = {**trainer.callback_metrics, **({} if loss is None else {"train/loss": loss})}
        shown = [f"{name} {float(metrics[name]):.4g}" for name in SHOWN_METRICS if name in metrics]
        rates = [callback.images_per_second for callback in trainer.callbacks if isinstance(callback, Throughput)]  # type: ignore[attr-defined]
        return "  ".join([*shown, *(f"{rate:,.0f} images/s" for rate in rates if rate)])
