"""Going on from the end of an epoch where Lightning does not know that it is one."""

from __future__ import annotations

import lightning.pytorch as pl


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
