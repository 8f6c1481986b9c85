"""Which training steps give their terms to the Trainer: to note a value takes it long, and few of them are read."""

from __future__ import annotations

import lightning.pytorch as pl

from ae_lightning.training.validation import is_validated_next


def is_step_read(trainer: pl.Trainer) -> bool:
    """Whether the metrics of the training step at hand are read: logged, or there when an epoch or its part ends."""
    is_last = trainer.max_steps != -1 and trainer.global_step + len(trainer.optimizers) >= trainer.max_steps
    return bool(
        trainer._logger_connector.should_update_logs
        or trainer.fast_dev_run  # type: ignore[attr-defined]
        or trainer.fit_loop.epoch_loop.batch_progress.is_last_batch
        or is_last
        or is_validated_next(trainer)
    )
