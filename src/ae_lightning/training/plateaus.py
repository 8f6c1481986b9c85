"""Learning rates that follow a measure, stepped before the checkpoint of the step or epoch is written.

Lightning steps them after that, and not at all at the end of the epoch that a resumed run begins in: going on would
lose a step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from torch import Tensor
from torch.optim.lr_scheduler import ReduceLROnPlateau

from ae_lightning.errors import ConfigError, unknown_name


def monitor_of(scheduler: ReduceLROnPlateau) -> str:
    """Return the name of the measure that a plateau follows.

    Raises:
        ConfigError: If it names none, as torch's own class does not.
    """
    monitor: str | None = getattr(scheduler, "monitor", None)
    if monitor is None:
        raise ConfigError("model.scheduler: ReduceLROnPlateau needs a monitor; lightning.pytorch.cli's class takes one")
    return monitor


def step_plateau(
    scheduler: ReduceLROnPlateau, measured: Mapping[str, Tensor | float], agreed: Callable[[float], float]
) -> None:
    """Show a plateau the measure that it follows.

    Args:
        scheduler: Whose `monitor` names it.
        measured: All that has been measured, by name.
        agreed: Gives every process the value of the first: of training, each has measured its own images, and rates
            that differ would part the weights.

    Raises:
        ConfigError: If it has not been measured.
    """
    monitor = monitor_of(scheduler)
    if monitor not in measured:
        said = unknown_name("model.scheduler.monitor", monitor, measured)
        raise ConfigError(f"{said} (what has been measured when the scheduler steps)")
    scheduler.step(agreed(float(measured[monitor])))


def monitored(schedulers: Iterable[Any], measured: Mapping[str, Tensor | float]) -> dict[str, float]:
    """Return what plateaus among schedulers follow, as far as it has been measured, by name."""
    names = {monitor_of(scheduler) for scheduler in schedulers if isinstance(scheduler, ReduceLROnPlateau)}
    return {name: float(measured[name]) for name in sorted(names) if name in measured}
