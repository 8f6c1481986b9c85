"""What was measured, and what it comes to: medians over rounds, and ratios to `fit` within each round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from benchmarks.clock import WARM_UP_EPOCHS

REFERENCE = "fit"


@dataclass(frozen=True)
class Epoch:
    """A line of the clock; `benchmarks.clock` says what is in it."""

    images: int
    steps: int
    seconds: float
    processor_seconds: float
    pause_seconds: float
    startup_seconds: float
    first_step_seconds: float
    peak_bytes: int
    num_parameters: int
    ended_at: float


@dataclass(frozen=True)
class Run:
    """One run of one contender.

    Attributes:
        contender: Its name.
        model: What it trained.
        batch_size: Images a step.
        epochs: Every epoch, the warm-up first.
        seconds_after: From the end of the last step to the end of the program.
    """

    contender: str
    model: str
    batch_size: int
    epochs: list[Epoch]
    seconds_after: float

    @property
    def counted(self) -> list[Epoch]:
        """The epochs after the warm-up."""
        return self.epochs[WARM_UP_EPOCHS:]

    @property
    def images_per_second(self) -> float:
        """Training images a second, over all epochs that count."""
        return sum(epoch.images for epoch in self.counted) / sum(epoch.seconds for epoch in self.counted)

    def as_dict(self) -> dict[str, Any]:
        """Return the run as JSON takes it."""
        return asdict(self)

    @property
    def images_per_processor_second(self) -> float:
        """The same for each second that a processor worked for it: what other programs disturb least."""
        return sum(epoch.images for epoch in self.counted) / sum(epoch.processor_seconds for epoch in self.counted)

    @property
    def processor_seconds_per_step(self) -> float:
        """Seconds that processors work for a training step, the median of the epochs that count."""
        return median(epoch.processor_seconds / epoch.steps for epoch in self.counted)


@dataclass(frozen=True)
class Row:
    """A contender's figures over all rounds, of one model at one batch size; medians where nothing else is said.

    Attributes:
        contender: Its name.
        model: What it trained.
        batch_size: Images a step.
        rounds: How many.
        num_parameters: Of the model.
        images_per_round: How many images were trained on in the epochs that count.
        images_per_second: Of those epochs.
        images_per_processor_second: The same for each second that a processor worked for it.
        fit_ratio: `fit`'s images a second over the contender's, round by round; None where there is no `fit`.
        ratio_spread: From the smallest ratio to the largest, as a share of the median; None as above.
        peak_mib: Resident memory until the end of the last epoch, in MiB.
        startup_seconds: From the start of the program to the first batch.
        first_step_seconds: From the start of the program to the end of the first step.
        pause_seconds: Between two epochs: what validation, checkpoints and judging take.
        longest_pause_seconds: The longest of them.
        seconds_after: From the last step to the end of the program.
    """

    contender: str
    model: str
    batch_size: int
    rounds: int
    num_parameters: int
    images_per_round: int
    images_per_second: float
    images_per_processor_second: float
    fit_ratio: float | None
    ratio_spread: float | None
    peak_mib: float
    startup_seconds: float
    first_step_seconds: float
    pause_seconds: float
    longest_pause_seconds: float
    seconds_after: float

    def as_dict(self) -> dict[str, Any]:
        """Return the row as JSON takes it."""
        return asdict(self)


def summarise(runs: Sequence[Run]) -> list[Row]:
    """Return a row for each contender, model and batch size, in the order of their first runs.

    Args:
        runs: All runs, round by round.
    """
    groups: dict[tuple[str, str, int], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.contender, run.model, run.batch_size), []).append(run)
    return [_row(group, groups.get((REFERENCE, model, size), [])) for (_, model, size), group in groups.items()]


def _row(runs: Sequence[Run], references: Sequence[Run]) -> Row:
    first = runs[0]
    ratios = [fit.images_per_second / run.images_per_second for fit, run in zip(references, runs, strict=False)]
    pauses = [epoch.pause_seconds for run in runs for epoch in run.epochs[1:]] or [0.0]
    return Row(
        contender=first.contender,
        model=first.model,
        batch_size=first.batch_size,
        rounds=len(runs),
        num_parameters=first.epochs[-1].num_parameters,
        images_per_round=sum(epoch.images for epoch in first.counted),
        images_per_second=median(run.images_per_second for run in runs),
        images_per_processor_second=median(run.images_per_processor_second for run in runs),
        fit_ratio=median(ratios) if ratios else None,
        ratio_spread=(max(ratios) - min(ratios)) / median(ratios) if ratios else None,
        peak_mib=median(run.epochs[-1].peak_bytes for run in runs) / 2**20,
        startup_seconds=median(run.epochs[0].startup_seconds for run in runs),
        first_step_seconds=median(run.epochs[0].first_step_seconds for run in runs),
        pause_seconds=median(pauses),
        longest_pause_seconds=max(pauses),
        seconds_after=median(run.seconds_after for run in runs),
    )
