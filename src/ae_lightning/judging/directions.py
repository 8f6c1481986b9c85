"""Which way a metric is better, as the measures say themselves."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from ae_lightning.judging.measure import Measure, known_measures

ARROWS = {"lower": "↓", "higher": "↑"}
"""Stands behind the name of a metric, for which way it is better."""

BEST = "▲"
"""Marks the best of several values where colour and weight of the letters are lost too."""


def is_measure(logged: str) -> bool:
    """Whether a value of the validation split is a measure's, or PCA's, and no term of an objective.

    Args:
        logged: Its name in the log, such as `val/pca_psnr`.
    """
    return logged.removeprefix("val/").removeprefix("pca_") in metric_names()


def metric_names() -> frozenset[str]:
    """Return all that this package's measures give; whatever else is logged of a split is a term of an objective."""
    return frozenset(metric for measure in known_measures() for metric in measure.metrics)


def measure_of(name: str, own_measures: Sequence[Measure] = ()) -> Measure | None:
    """Return the measure that gives a metric; None of a term of an objective.

    Args:
        name: The metric, without `val/`, `test/` or `pca_`.
        own_measures: A user's measures, where they are at hand.
    """
    return next((one for one in (*known_measures(), *own_measures) if name in one.metrics), None)


def best_places(name: str, values: Sequence[float], own_measures: Sequence[Measure] = ()) -> frozenset[int]:
    """Return which of several values of a metric are the best: more than one where they are equally good.

    Args:
        name: As `best_of` takes it.
        values: Those that are NaN or infinite take no part.
        own_measures: As `best_of` takes them.

    Returns:
        Their places; none where neither way is better, or there is no value.
    """
    measure = measure_of(name, own_measures)
    # Below 0 they differ by chance alone.
    floor = 0.0 if measure is not None and name in measure.not_below_zero else -math.inf
    raised = [max(floor, value) if math.isfinite(value) else math.nan for value in values]
    best = best_of(name, raised, own_measures)
    return frozenset(place for place, value in enumerate(raised) if value == best)


def best_of(name: str, values: Iterable[float], own_measures: Sequence[Measure] = ()) -> float | None:
    """Return the best of several values of a metric.

    Args:
        name: The metric, without `val/`, `test/` or `pca_`; or a term of an objective.
        values: Those that are NaN or infinite take no part.
        own_measures: A user's measures, where they are at hand: of other metrics than theirs and this package's no
            value is better.

    Returns:
        The least or the greatest, whichever is better, the first of several that are equally good; None where neither
        is better, or there is no value.
    """
    finite = [value for value in values if math.isfinite(value)]
    measure = measure_of(name, own_measures)
    if measure is None or not finite:
        return None
    if name in measure.not_below_zero:
        return min(finite, key=lambda value: max(0.0, value))
    direction = measure.metrics[name]
    if direction == "lower":
        return min(finite)
    return max(finite) if direction == "higher" else None
