"""Learning rates that follow a measure, stepped before the checkpoint of the step or epoch is written.

Lightning steps them after that, and not at all at the end of the epoch that a resumed run begins in: going on would
lose a step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import lightning.pytorch as pl
from lightning.pytorch.cli import LRSchedulerCallable
from lightning.pytorch.utilities.types import LRSchedulerTypeUnion
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from ae_lightning.errors import ConfigError, refusal_explained, unknown_name


def configure_scheduler(build: LRSchedulerCallable, optimizer: Optimizer) -> LRSchedulerTypeUnion:
    """Make a learning-rate scheduler.

    Args:
        build: Makes it from the optimizer.
        optimizer: Whose rates it sets.

    Raises:
        ConfigError: If it refuses its settings, or follows a measure and names none.
    """
    with refusal_explained("model.scheduler"):
        scheduler = build(optimizer)
    if isinstance(scheduler, ReduceLROnPlateau):
        monitor_of(scheduler)
    return scheduler


def monitor_of(scheduler: ReduceLROnPlateau) -> str:
    """Return the name of the measure that a plateau follows.

    Raises:
        ConfigError: If it names none, as torch's own class does not.
    """
    monitor: str | None = getattr(scheduler, "monitor", None)
    if monitor is None:
        raise ConfigError("model.scheduler: ReduceLROnPlateau needs a monitor; lightning.pytorch.cli's class takes one")
    return monitor


def followed(scheduler: ReduceLROnPlateau, measured: Mapping[str, Tensor | float]) -> float:
    """Return the value of the measure that a plateau follows.

    Args:
        scheduler: Whose `monitor` names it.
        measured: All that has been measured, by name.

    Raises:
        ConfigError: If it has not been measured.
    """
    monitor = monitor_of(scheduler)
    if monitor not in measured:
        said = unknown_name("model.scheduler.monitor", monitor, measured)
        raise ConfigError(f"{said} (what has been measured when the scheduler steps)")
    return float(measured[monitor])


def step_schedulers(
    trainer: pl.Trainer,
    measured: Mapping[str, Tensor | float],
    counts: Callable[[str], bool],
    *,
    only_plateaus: bool,
) -> None:
    """Step a Trainer's schedulers.

    Args:
        trainer: Whose they are.
        measured: All that has been measured, by name.
        counts: Whether a measure, given its name, says something yet.
        only_plateaus: Whether the others are Lightning's to step.

    Raises:
        ConfigError: If a plateau follows what has not been measured.
    """
    for config in trainer.lr_scheduler_configs:
        scheduler = config.scheduler
        if isinstance(scheduler, ReduceLROnPlateau):
            value = followed(scheduler, measured)
            if counts(monitor_of(scheduler)):
                # Each process has measured its own samples, and rates that differ would part the weights.
                scheduler.step(trainer.strategy.broadcast(value))
        elif not only_plateaus:
            scheduler.step()


def monitored(trainer: pl.Trainer) -> dict[str, float]:
    """Return what plateaus among a Trainer's schedulers follow, as far as it has been measured, by name."""
    schedulers = [config.scheduler for config in trainer.lr_scheduler_configs]
    names = {monitor_of(scheduler) for scheduler in schedulers if isinstance(scheduler, ReduceLROnPlateau)}
    return {name: float(trainer.callback_metrics[name]) for name in sorted(names) if name in trainer.callback_metrics}
