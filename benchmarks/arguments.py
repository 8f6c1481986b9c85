"""The arguments that the driver gives to every contender but `fit`, which has a command line of its own."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

from benchmarks.clock import WARM_UP_EPOCHS, EpochClock

LATENT_DIM = 32
"""Length of a code in every model, as `fit` has it by default."""


class Task(NamedTuple):
    """What a contender is to train.

    Attributes:
        images: File of the training images, a NumPy array of shape (N, C, H, W), uint8.
        model: Name of the model, one of `benchmarks.models`.
        batch_size: Images a step.
        epochs: Epochs that count, after the warm-up.
        report: File for the clock's lines.
        started_at: When the driver started the program, of `time.monotonic`.
        variant: Which of the contender's own variants.
    """

    images: Path
    model: str
    batch_size: int
    epochs: int
    report: Path
    started_at: float
    variant: str

    @property
    def num_epochs(self) -> int:
        """Epochs to train, the warm-up included."""
        return self.epochs + WARM_UP_EPOCHS

    @property
    def clock(self) -> EpochClock:
        """A clock that has seen no epoch yet."""
        return EpochClock(self.report, self.started_at)

    def batch_at(self, step: int, num_images: int) -> int:
        """Return how many images a step of an epoch has, where a trainer does not tell: the last may have fewer.

        Args:
            step: Counted from 0 in each epoch.
            num_images: Of the epoch.
        """
        return min(self.batch_size, num_images - step * self.batch_size)

    def as_arguments(self) -> list[str]:
        """Return the arguments that `read_task` takes."""
        return [part for name, value in self._asdict().items() for part in (f"--{name.replace('_', '-')}", str(value))]


def read_task(variants: tuple[str, ...]) -> Task:
    """Read the task off the command line.

    Args:
        variants: The variants that the contender has.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--report", type=Path, required=True)
    parser.add_argument("--started-at", type=float, required=True)
    parser.add_argument("--variant", choices=variants, required=True)
    return Task(**vars(parser.parse_args()))
