"""Who is held against whom, and who wins: no difference within the spread of seeds is a win."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ae_lightning.judging.directions import measure_of
from ae_lightning.judging.goals import DECIDING
from ae_lightning.judging.measure import Goal
from ae_lightning.tracking.comparison import TrackedRun

PCA = "PCA"
"""The variant's name in the rows of the baseline."""

FINISHED = "FINISHED"
"""Status of a run that got to its end."""

ALIKE_WITHIN = 1e-4
"""Relative difference of two values that are written alike, in four digits: neither wins."""


@dataclass(frozen=True)
class Value:
    """A measure over the seeds of one configuration.

    Attributes:
        mean: The mean.
        spread: The sample standard deviation; None for a single seed.
    """

    mean: float
    spread: float | None

    def __str__(self) -> str:
        """Four decimals, and the spread where there is one."""
        return f"{self.mean:.4f}" if self.spread is None else f"{self.mean:.4f} ± {self.spread:.4f}"


@dataclass(frozen=True)
class Row:
    """One configuration, over all its seeds that ended alike.

    Attributes:
        variant: Class name of the autoencoder, or ``PCA``.
        status: Of its runs, as MLflow calls it; what has not finished contests nothing.
        latent_dim: Length of a code.
        settings: What else tells it from other rows: values by the command line's keys, short class names.
        judged_on: Those of the settings that decide what it is judged on.
        label: Variant, latent_dim and settings in a line, no other row's.
        runs: Its runs, one a seed; of the baseline none.
        values: By measure.
        decodes: Whether what PCA decodes is clipped beside it, as its runs say; empty where they do not.
    """

    variant: str
    status: str
    latent_dim: int
    settings: Mapping[str, str]
    judged_on: Mapping[str, str]
    label: str
    runs: tuple[TrackedRun, ...]
    values: Mapping[str, Value]
    decodes: str = ""

    @property
    def title(self) -> str:
        """The variant, marked where its runs have not finished."""
        return self.variant if self.status == FINISHED else f"{self.variant} ({self.status})"

    @property
    def stands_beside(self) -> tuple[int, tuple[tuple[str, str], ...], str]:
        """What a row has in common with that of the baseline beside it."""
        return self.latent_dim, tuple(self.judged_on.items()), self.decodes

    @property
    def is_finished(self) -> bool:
        """Whether its runs got to their ends."""
        return self.status == FINISHED

    @property
    def is_baseline(self) -> bool:
        """Whether this is PCA."""
        return self.variant == PCA


@dataclass(frozen=True)
class Contest:
    """Rows that are held against one another: they are judged on the same samples.

    Attributes:
        name: What they have in common.
        rows: Of one latent_dim, or of all.
    """

    name: str
    rows: tuple[Row, ...]

    def ranks(self, measure: str) -> dict[str, int]:
        """Return the places of the rows that have finished and have a measure, by label.

        Two rows are told apart where their intervals of mean ± spread do not touch. A row of one seed is taken to
        spread as the widest of the other autoencoders that have finished does; PCA's values are the same every time,
        but for what depends on the run beside it. A row that is not told apart from the first of a place shares it.

        Args:
            measure: Of a term of an objective, or where neither way is better, there are no places.
        """
        found = measure_of(measure)
        direction = "none" if found is None else found.metrics[measure]
        if found is None or direction == "none":
            return {}
        # What estimates something that cannot be negative differs by chance alone below 0.
        floor = 0.0 if measure in found.not_below_zero else -math.inf
        sign = 1 if direction == "lower" else -1
        means = {row.label: max(floor, row.values[measure].mean) for row in self.rows if _contests(row, measure)}
        spreads = self._spreads(measure)
        places: dict[str, int] = {}
        leader: str | None = None
        for place, label in enumerate(sorted(means, key=lambda label: sign * means[label]), 1):
            is_alike = leader is not None and (
                math.isclose(means[leader], means[label], rel_tol=ALIKE_WITHIN)
                or abs(means[leader] - means[label]) <= spreads[leader] + spreads[label]
            )
            if not is_alike:
                leader, first = label, place
            places[label] = first
        return places

    def winners(self, measure: str) -> list[Row]:
        """Return the rows in the first place."""
        places = self.ranks(measure)
        return [row for row in self.in_order(measure) if places.get(row.label) == 1]

    def in_order(self, measure: str | None) -> list[Row]:
        """Return all rows, the best first; then those without the measure, then what has not finished.

        Args:
            measure: What they are ranked by; None leaves them as they are but for what has not finished.
        """
        order = [] if measure is None else list(self.ranks(measure))
        position = {label: number for number, label in enumerate(order)}
        return sorted(self.rows, key=lambda row: (not row.is_finished, position.get(row.label, len(order))))

    def deciding(self, goal: Goal) -> str | None:
        """Return the metric that rows are ranked by for a goal: what most of them have, the first of several.

        Returns:
            Its name; None where nothing of the kind was measured.
        """
        counts = {name: len(self.ranks(name)) for name in DECIDING[goal]}
        most = max(counts, key=counts.__getitem__)
        return most if counts[most] else None

    def measures(self) -> list[str]:
        """Return what was measured of any row."""
        return list(dict.fromkeys(name for row in self.rows for name in row.values))

    def _spreads(self, measure: str) -> dict[str, float]:
        """Return by how much a measure varies with the seed, by label, of the rows that contest it."""
        rows = [row for row in self.rows if _contests(row, measure)]
        of_seeds = (row.values[measure].spread for row in rows if not row.is_baseline)
        widest = max((spread for spread in of_seeds if spread is not None), default=0.0)
        spreads = {row.label: 0.0 if row.is_baseline else widest for row in rows}
        known = {row.label: row.values[measure].spread for row in rows}
        return spreads | {label: spread for label, spread in known.items() if spread is not None}


def _contests(row: Row, measure: str) -> bool:
    return row.is_finished and measure in row.values and math.isfinite(row.values[measure].mean)
