"""Schedules that a training ends before: said, not refused, since they may be meant so."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import lightning.pytorch as pl
from torch.optim.lr_scheduler import CosineAnnealingLR

from ae_lightning.errors import ConfigError
from ae_lightning.training.schedules import Annealing, num_training_batches


def unfinished_schedules(
    trainer: pl.Trainer, attributes: Mapping[str, Any], schedulers: Iterable[Any]
) -> Iterator[str]:
    """Say in a line each which warm-ups and cosines are longer than the training, and how far they get.

    Args:
        trainer: At the start of the training.
        attributes: Of the model, by name: annealings among them are looked at.
        schedulers: Lightning's configurations of the learning-rate schedulers.
    """
    try:
        num_batches = num_training_batches(trainer)
    except ConfigError:
        # A training without an end may reach anything.
        return
    num_epochs = num_batches / max(1, int(trainer.num_training_batches))
    for name, value in attributes.items():
        if isinstance(value, Annealing) and value.start != value.end and value.warmup_epochs > num_epochs:
            yield (
                f"model.{name}.warmup_epochs: {value.warmup_epochs:g} is beyond the training's {num_epochs:g} epochs; "
                f"{name} reaches {value.at(num_epochs):.4g} of {value.end:g}"
            )
    for config in schedulers:
        scheduler = config.scheduler
        if not isinstance(scheduler, CosineAnnealingLR):
            continue
        unit = "epochs" if config.interval == "epoch" else "steps"
        num = num_epochs if unit == "epochs" else math.ceil(num_batches / int(trainer.accumulate_grad_batches))
        if num < scheduler.T_max:
            start, end = scheduler.base_lrs[0], scheduler.eta_min
            reached = end + (start - end) * (1 + math.cos(math.pi * num / scheduler.T_max)) / 2
            yield (
                f"model.scheduler.T_max: {scheduler.T_max} is beyond the training's {num:g} {unit}; "
                f"the learning rate ends at {reached:.4g}, not {end:g}"
            )
