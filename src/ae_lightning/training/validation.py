"""When training is interrupted by a validation."""

from __future__ import annotations

import math

import lightning.pytorch as pl


def is_validated_next(trainer: pl.Trainer) -> bool:
    """Whether a validation is due after the batch at hand; it may be counted over epochs."""
    loop = trainer.fit_loop.epoch_loop
    position = loop.total_batch_idx if trainer.check_val_every_n_epoch is None else loop.batch_idx
    return (position + 1) % (trainer.val_check_batch or math.inf) == 0
