"""Averages of weights that Lightning's `WeightAveraging` keeps: what is validated, kept as the best, and so judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback, WeightAveraging


@contextmanager
def average_in(callbacks: Sequence[Callback], trainer: pl.Trainer, model: pl.LightningModule) -> Iterator[None]:
    """Have the average in place of the trained weights, as in the batches of a validation.

    Args:
        callbacks: Those that have taken it out again by now.
        trainer: The Trainer.
        model: Its model.
    """
    averages = [one for one in callbacks if isinstance(one, WeightAveraging)]
    for one in averages:
        one.on_validation_epoch_start(trainer, model)
    try:
        yield
    finally:
        for one in reversed(averages):
            one.on_validation_epoch_end(trainer, model)


def keeps_average(trainer: pl.Trainer) -> bool:
    """Whether a callback of the Trainer averages the weights all along."""
    return any(isinstance(one, WeightAveraging) for one in trainer.callbacks)  # type: ignore[attr-defined]


def stop_averaging(trainer: pl.Trainer) -> None:
    """Let a Trainer judge the best checkpoint after a training.

    Its callbacks would put the trained weights in place of the average that the checkpoint holds.
    """
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    callbacks[:] = [one for one in callbacks if not isinstance(one, WeightAveraging)]
