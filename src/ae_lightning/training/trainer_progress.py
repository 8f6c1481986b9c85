"""Where Lightning's Trainer is in a training: what it reads next, and where an epoch ends."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import EarlyStopping, GradientAccumulationScheduler, StochasticWeightAveraging
from torch import Tensor


def is_step_read(trainer: pl.Trainer) -> bool:
    """Whether the metrics of the training step at hand are read: logged, or there when an epoch or its part ends."""
    is_last = trainer.max_steps != -1 and trainer.global_step + 1 >= trainer.max_steps
    return bool(
        trainer._logger_connector.should_update_logs
        or trainer.fast_dev_run  # type: ignore[attr-defined]
        or trainer.fit_loop.epoch_loop.batch_progress.is_last_batch
        or is_last
        or is_validated_next(trainer)
    )


def is_validated_next(trainer: pl.Trainer) -> bool:
    """Whether a validation is due after the batch at hand; it may be counted over epochs."""
    loop = trainer.fit_loop.epoch_loop
    position = loop.total_batch_idx if trainer.check_val_every_n_epoch is None else loop.batch_idx
    return (position + 1) % (trainer.val_check_batch or math.inf) == 0


def num_batches_before(trainer: pl.Trainer) -> int:
    """Return how many batches of the epoch, or of the split, came before the one at hand, while it is moved."""
    loop: Any = trainer._active_loop
    loop = getattr(loop, "epoch_loop", loop)
    return int(loop.batch_progress.current.ready) if loop is not None else 0


def end_epochs_once(trainer: pl.Trainer) -> None:
    """Let a training with `max_steps` go on from the end of an epoch as one with `max_epochs` alone does.

    With `max_steps` Lightning takes every checkpoint for one from within an epoch: it would end the epoch once more,
    count it twice, and give the epochs after it the orders and draws of later ones.

    Args:
        trainer: Before it restores its state.
    """
    fit_loop = trainer.fit_loop
    batches = fit_loop.epoch_loop.batch_progress

    def is_within_epoch() -> bool:
        return trainer.max_steps != -1 and not batches.is_last_batch

    fit_loop._iteration_based_training = is_within_epoch  # type: ignore[method-assign]


def goes_on_within_epoch(trainer: pl.Trainer) -> bool:
    """Whether a training that starts goes on from a checkpoint with batches of its epoch to come."""
    return trainer.fit_loop.restarted_mid_epoch and not trainer.fit_loop.epoch_loop.batch_progress.is_last_batch


def begin_rest_of_epoch(trainer: pl.Trainer, model: pl.LightningModule) -> None:
    """Let callbacks of Lightning that set something for an epoch set it for the rest of one that is gone on with too.

    Lightning calls them where an epoch begins alone.

    Args:
        trainer: Once it knows where in the epoch it goes on.
        model: Its model.
    """
    for callback in trainer.callbacks if trainer.fit_loop.restarted_mid_epoch else []:  # type: ignore[attr-defined]
        if isinstance(callback, GradientAccumulationScheduler | StochasticWeightAveraging):
            callback.on_train_epoch_start(trainer, model)


def stop_early_only_if(trainer: pl.Trainer, may_stop_by: Callable[[str], bool]) -> None:
    """Let the Trainer's early stopping look at its measure only at moments when training may be stopped, and once.

    Args:
        trainer: Whose callbacks are looked through.
        may_stop_by: Says whether this is such a moment for a measure, given its name.
    """
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, EarlyStopping):
            callback._should_skip_check = _skipping_unless(may_stop_by, callback)  # type: ignore[assignment, method-assign]


def _skipping_unless(may_stop_by: Callable[[str], bool], callback: EarlyStopping) -> Callable[[pl.Trainer], bool]:
    last_seen: Tensor | None = None

    def skips(trainer: pl.Trainer) -> bool:
        nonlocal last_seen
        # The class's own, not what an earlier training put in its place.
        if not may_stop_by(callback.monitor) or type(callback)._should_skip_check(callback, trainer):
            return True
        # A measure that not every epoch takes keeps its old tensor in between: that has not failed to improve.
        value = trainer.callback_metrics.get(callback.monitor)
        is_old = value is not None and value is last_seen
        last_seen = value
        return is_old

    return skips
