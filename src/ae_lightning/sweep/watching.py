"""What looks after a trial while it trains: it reports to the pruner, and ends what must end."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities.exceptions import SIGTERMException
from optuna import TrialPruned
from torch import Tensor

from ae_lightning.errors import NotFiniteError
from ae_lightning.models.trained_module import TrainedModule
from ae_lightning.sweep.stopping import Stop


class TrialWatch(Callback):
    """Reports a metric to the pruner whenever validation renews it, and ends the trial when it must.

    Args:
        stop: Says whether the night is over; looked at after every batch, validation and epoch. The trial then ends as
            after SIGTERM.
        metric: What the pruner goes by.
        should_prune: From the metric's value and the number of validations so far to whether the trial is hopeless;
            None to prune nothing.
    """

    def __init__(self, stop: Stop, metric: str, should_prune: Callable[[float, int], bool] | None) -> None:
        self._stop = stop
        self._metric = metric
        self._should_prune = should_prune
        self._last_seen: Tensor | None = None
        self._num_validations = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take back the signals: after SIGTERM, Lightning ends the training as if nobody else were to be told."""
        self._stop.listen()

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take back the signals; the validation after training takes them over too."""
        self._stop.listen()

    def on_train_batch_end(self, trainer: pl.Trainer, *arguments: Any, **named: Any) -> None:
        """End the trial in the middle of an epoch if the night is over."""
        self._end_with_the_night(trainer)

    def on_validation_batch_end(self, trainer: pl.Trainer, *arguments: Any, **named: Any) -> None:
        """End the trial in the middle of a validation if the night is over."""
        self._end_with_the_night(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """End the trial if the night ended while the epoch was judged."""
        self._end_with_the_night(trainer)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Report, and end the trial if it is hopeless or has diverged, or the night is over."""
        if trainer.sanity_checking:
            return
        self._judge(trainer, pl_module)
        if trainer.state.fn == TrainerFn.FITTING:
            self._end_with_the_night(trainer)

    def _judge(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._num_validations += 1
        metrics = trainer.callback_metrics
        # Of all losses this one is the same on every rank, so that they end together.
        if "val/loss" in metrics and not math.isfinite(float(metrics["val/loss"])):
            raise NotFiniteError(f"val/loss is {float(metrics['val/loss'])} after epoch {trainer.current_epoch + 1}")
        value = metrics.get(self._metric)
        # Before its last phase a training has not begun on what it is judged by.
        is_judged = not isinstance(pl_module, TrainedModule) or pl_module.is_judged_by(self._metric)
        # A metric that not every epoch measures keeps its old tensor in between.
        if self._should_prune is None or value is None or value is self._last_seen or not is_judged:
            return
        self._last_seen = value
        if trainer.state.fn != TrainerFn.FITTING:
            return
        # The first rank decides for all.
        if trainer.strategy.broadcast(self._should_prune(float(value), self._num_validations)):
            raise TrialPruned(f"{self._metric} {float(value):.4g} after epoch {trainer.current_epoch + 1}")

    def _end_with_the_night(self, trainer: pl.Trainer) -> None:
        is_over = self._stop.reason is not None
        if trainer.world_size > 1:
            # Ranks that ended one by one would wait for each other.
            is_over = trainer.strategy.reduce_boolean_decision(is_over, all=False)
        if is_over:
            raise SIGTERMException
