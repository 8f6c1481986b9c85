"""One function that runs a choice of measures."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from functools import cache
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from ae_lightning.errors import ConfigError, NotFiniteError, unknown_name
from ae_lightning.judging.case import Case
from ae_lightning.judging.encoded import EncodedSplit
from ae_lightning.judging.measure import Direction, Measure, MeasureResults
from ae_lightning.judging.part import Choice, Guard, known_parts, select_parts


@cache
def known_measures() -> tuple[Measure, ...]:
    """Return this package's measures, in the order in which they run."""
    return known_parts("ae_lightning.judging.measures", Measure)  # type: ignore[type-abstract]


def select_measures(key: str, choice: Choice) -> tuple[Measure, ...]:
    """Find measures by name or dotted path, so that a config can be refused before any training.

    Args:
        key: The setting that chooses.
        choice: Names and dotted paths, or one of the words ``"all"`` and ``"cheap"``.

    Returns:
        The measures in the order in which they run, each once.

    Raises:
        ConfigError: If a name is not known, or a path leads to nothing that can be used.
    """
    found = select_parts(key, choice, known_measures(), Measure)  # type: ignore[type-abstract]
    declared = {metric: measure.name for measure in known_measures() for metric in measure.metrics}
    for measure in found:
        if measure.is_built_in:
            continue
        if not getattr(measure, "metrics", None):
            raise ConfigError(f"{key}: the measure {measure.name!r} declares no `metrics`")
        for metric, direction in measure.metrics.items():
            if direction not in get_args(Direction):
                raise ConfigError(unknown_name(f"{key}: the direction of {metric!r}", direction, get_args(Direction)))
            if declared.setdefault(metric, measure.name) != measure.name:
                raise ConfigError(f"{key}: {measure.name!r} gives {metric!r}, as the measure {declared[metric]!r} does")
    return found


def run_measures(measures: Sequence[Measure], case: Case, guard: Guard = nullcontext) -> MeasureResults:
    """Run measures on a case, whether a model or PCA made its codes.

    Measures for which something is missing are left out. Images whose label is −1 count in no measure that needs
    labels.

    Args:
        measures: From ``select_measures``.
        case: What is judged; the same case gives the same values.
        guard: What surrounds each measure; one whose failure it takes is left out. None is taken by default.

    Returns:
        Values by metric name and seconds by measure name, in the order of the measures.

    Raises:
        NotFiniteError: If codes or reconstructions are not finite.
        ValueError: If the two splits' codes differ in size.
    """
    require_comparable(case.train, case.evaluated)
    results = MeasureResults()
    for measure in applicable_measures(measures, case):
        with guard(f"the measure {measure.name}"):
            results.add(measure, *measure.timed(case))
    return results


def applicable_measures(measures: Sequence[Measure], case: Case) -> tuple[Measure, ...]:
    """Select the measures for which the case holds everything."""
    return tuple(measure for measure in measures if measure.needs <= case.given)


def needs_of(measures: Sequence[Measure]) -> frozenset[str]:
    """Return all that the measures need, so that nothing is prepared for none of them."""
    return frozenset().union(*(measure.needs for measure in measures))


def require_comparable(train: EncodedSplit, evaluated: EncodedSplit) -> None:
    """Refuse splits that cannot be measured.

    Raises:
        NotFiniteError: If codes or reconstructions are not finite.
        ValueError: If the two splits' codes differ in size.
    """
    latent_dims = train.codes.shape[1], evaluated.codes.shape[1]
    if latent_dims[0] != latent_dims[1]:
        raise ValueError("training codes have {} dimensions, evaluated ones {}".format(*latent_dims))
    _require_finite("training codes", train.codes)
    _require_finite("evaluated codes", evaluated.codes)
    if evaluated.reconstructions is not None:
        _require_finite("reconstructions", evaluated.reconstructions)


def _require_finite(what: str, rows: NDArray[np.float32]) -> None:
    num_bad = int((~np.isfinite(rows).all(axis=tuple(range(1, rows.ndim)))).sum())
    if num_bad:
        raise NotFiniteError(f"{num_bad} of {len(rows)} {what} are not finite")
