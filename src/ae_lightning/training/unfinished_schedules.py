"""Schedules that a training ends before: said, not refused, since they may be meant so; and such as end before it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import lightning.pytorch as pl
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR

from ae_lightning.errors import ConfigError
from ae_lightning.training.schedules import Annealing, num_batches_of_epoch, num_training_batches


def require_possible_schedules(trainer: pl.Trainer, attributes: Mapping[str, Any]) -> None:
    """Refuse a schedule that has an end of its own, and it lies before the training's; and a warm-up without a measure.

    Args:
        trainer: At the start of the training.
        attributes: Of the model, by name: annealings among them are looked at.

    Raises:
        ConfigError: If there is one.
    """
    if any(isinstance(value, Annealing) and value.start != value.end for value in attributes.values()):
        num_batches_of_epoch(trainer)
    for config in trainer.lr_scheduler_configs:
        total = getattr(config.scheduler, "total_steps", None)
        num = _num_epochs(trainer) if config.interval == "epoch" else _num_steps(trainer)
        if isinstance(config.scheduler, OneCycleLR) and total is not None and num is not None and total < num:
            raise ConfigError(
                f"model.scheduler.total_steps: {total} is less than the training's {num:g} {config.interval}s; "
                f"give {num:g}"
            )


def _num_epochs(trainer: pl.Trainer) -> int | None:
    return None if trainer.max_epochs in (None, -1) else trainer.max_epochs


def _num_steps(trainer: pl.Trainer) -> int | None:
    """Return how many steps a training takes, the last batches of an epoch being one; None where nothing tells."""
    epochs, num_batches = _num_epochs(trainer), trainer.num_training_batches
    per_step = int(trainer.accumulate_grad_batches)
    limits = [] if epochs is None or math.isinf(num_batches) else [epochs * math.ceil(num_batches / per_step)]
    limits += [] if trainer.max_steps == -1 else [trainer.max_steps]
    return min(limits, default=None)


def unfinished_schedules(trainer: pl.Trainer, attributes: Mapping[str, Any]) -> Iterator[str]:
    """Say in a line each which warm-ups and cosines are longer than the training, and how far they get.

    Args:
        trainer: At the start of the training.
        attributes: Of the model, by name: annealings among them are looked at.
    """
    try:
        num_batches = num_training_batches(trainer)
    except ConfigError:
        # A training without an end, or of epochs of any length, may reach anything.
        return
    num_epochs = num_batches / max(1, int(trainer.num_training_batches))
    for name, value in attributes.items():
        if isinstance(value, Annealing) and value.start != value.end and value.warmup_epochs > num_epochs:
            yield (
                f"model.{name}.warmup_epochs: {value.warmup_epochs:g} is beyond the training's {num_epochs:g} epochs; "
                f"{name} reaches {value.at(num_epochs):.4g} of {value.end:g}"
            )
    for config in trainer.lr_scheduler_configs:
        scheduler = config.scheduler
        if not isinstance(scheduler, CosineAnnealingLR):
            continue
        unit = "epochs" if config.interval == "epoch" else "steps"
        num = num_epochs if unit == "epochs" else _num_steps(trainer)
        if num is not None and num < scheduler.T_max:
            start, end = scheduler.base_lrs[0], scheduler.eta_min
            reached = end + (start - end) * (1 + math.cos(math.pi * num / scheduler.T_max)) / 2
            yield (
                f"model.scheduler.T_max: {scheduler.T_max} is beyond the training's {num:g} {unit}; "
                f"the learning rate ends at {reached:.4g}, not {end:g}"
            )
