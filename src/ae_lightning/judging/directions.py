"""Which way a metric is better, as the measures say themselves."""

from __future__ import annotations

import math
from collections.abc import Sequence

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
        name: The metric, without `val/`, `test/` or `pca_`; or a term of an objective.
        values: Those that are NaN or infinite take no part.
        own_measures: A user's measures, where they are at hand: of other metrics than theirs and this package's no
            value is better.

    Returns:
        Their places; none where neither way is better, or there is no value.
    """
    measure = measure_of(name, own_measures)
    if measure is None or measure.metrics[name] == "none":
        return frozenset()
    # Below 0 they differ by chance alone.
    floor = 0.0 if name in measure.not_below_zero else -math.inf
    compared = {place: max(floor, value) for place, value in enumerate(values) if math.isfinite(value)}
    best = (min if measure.metrics[name] == "lower" else max)(compared.values(), default=None)
    return frozenset(place for place, value in compared.items() if value == best)
