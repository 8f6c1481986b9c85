"""What changes while training goes on: annealed weights and phases."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from numbers import Real

import lightning.pytorch as pl

from ae_lightning.checks import require_non_negative
from ae_lightning.errors import ConfigError


@dataclass(frozen=True)
class Annealing:
    """A weight that goes linearly from one value to another and stays there.

    Attributes:
        start: Weight of the first epoch's beginning.
        end: Weight after the warm-up; the one that validation uses.
        warmup_epochs: Length of the way, in epochs.
    """

    start: float = 0.0
    end: float = 1.0
    warmup_epochs: float = 10.0

    def at(self, epoch: float) -> float:
        """Return the weight at a moment, counted in epochs, fractions included."""
        share = min(1.0, epoch / self.warmup_epochs) if self.warmup_epochs > 0 else 1.0
        return self.start + share * (self.end - self.start)


def as_annealing(key: str, weight: float | Annealing) -> Annealing:
    """Return a weight as an annealing; a number is one that never changes.

    Args:
        key: The configuration's key, for the error.
        weight: A number or an annealing.

    Raises:
        ConfigError: If a number is negative, or it is none.
    """
    if not isinstance(weight, Annealing | Real):
        raise ConfigError(f"{key}: {weight!r} is not allowed; it takes a number or {{start, end, warmup_epochs}}")
    annealing = weight if isinstance(weight, Annealing) else Annealing(weight, weight, 0.0)
    for name in ("start", "end", "warmup_epochs"):
        require_non_negative(key if annealing is not weight else f"{key}.{name}", getattr(annealing, name))
    return annealing


def phase_of(batch: int, num_batches: int, shares: Sequence[float]) -> int:
    """Return which phase a training batch belongs to.

    Phases are shares of the batches, at least one batch each as long as there are as many batches as phases; with
    fewer, some are left out. The last batch always belongs to the last phase, which alone makes a best checkpoint.

    Args:
        batch: The batch's number, over all epochs, from 0.
        num_batches: Batches of the whole training.
        shares: Of each phase, above 0; only their ratios matter.
    """
    total, num_phases = sum(shares), len(shares)
    starts = [int(num_batches * before / total) for before in accumulate(shares[:-1], initial=0.0)]
    if num_batches >= num_phases:
        for phase in range(1, num_phases):
            starts[phase] = min(max(starts[phase], starts[phase - 1] + 1), num_batches - num_phases + phase)
    return bisect_right(starts, batch) - 1


def num_training_batches(trainer: pl.Trainer) -> int:
    """Return how many batches the whole training has, as far as the Trainer's settings tell.

    Raises:
        ConfigError: If they set no end, which phases are shares of, or nothing tells how many an epoch has.
    """
    limits = []
    if trainer.max_epochs not in (None, -1):
        limits.append(int(trainer.max_epochs * num_batches_of_epoch(trainer)))
    if trainer.max_steps != -1:
        limits.append(_batches_of_steps(trainer.max_steps, trainer))
    if not limits:
        raise ConfigError("trainer.max_epochs: -1 sets no end; give max_epochs or max_steps")
    return min(limits)


def num_batches_of_epoch(trainer: pl.Trainer) -> int:
    """Return how many batches an epoch has, which phases and warm-ups are counted by.

    Raises:
        ConfigError: If the train loader does not say it, and no setting does.
    """
    if math.isinf(trainer.num_training_batches):
        raise ConfigError(
            "trainer.limit_train_batches: the train loader does not say how many batches an epoch has, which phases "
            "and warm-ups are counted by; give their number"
        )
    return int(trainer.num_training_batches)


def _batches_of_steps(num_steps: int, trainer: pl.Trainer) -> int:
    """Return how many batches so many steps take: the last batch of an epoch is a step, however few are accumulated."""
    per_epoch, per_step = num_batches_of_epoch(trainer), int(trainer.accumulate_grad_batches)
    num_epochs, more_steps = divmod(num_steps, -(-per_epoch // per_step))
    return num_epochs * per_epoch + min(more_steps * per_step, per_epoch)
