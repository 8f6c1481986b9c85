"""Every measure by name, and one function that runs a choice of them.

A new measure is a function in a file of its own and one entry in ``MEASURES``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ae_lightning.errors import ConfigError, unknown_name
from ae_lightning.evaluation.classification import class_gaussian_accuracy, nearest_centroid_accuracy
from ae_lightning.evaluation.clustering import gmm, kmeans
from ae_lightning.evaluation.encoded import EncodedSplit
from ae_lightning.evaluation.pixels import mse, psnr, ssim

Cost = Literal["cheap", "full"]
"""``cheap`` measures can run every few epochs on a sample; ``full`` ones belong after training."""

Need = Literal["reconstructions", "labels", "training labels"]
"""What a measure cannot do without; where it is missing the measure is left out."""


@dataclass(frozen=True)
class Measure:
    """One measure, or a few that one computation gives.

    Attributes:
        name: What a config calls it.
        compute: From training split, evaluated split and seed to values by metric name.
        cost: Whether it is quick enough to be watched during training.
        needs: What the splits must hold for it.
    """

    name: str
    compute: Callable[[EncodedSplit, EncodedSplit, int], dict[str, float]]
    cost: Cost
    needs: frozenset[Need]


@dataclass(frozen=True)
class MeasureResults:
    """What a run of measures gave.

    Attributes:
        values: Value by metric name, such as ``kmeans_nmi``.
        seconds: Wall time by measure name, such as ``kmeans``.
    """

    values: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


def run_measures(
    names: Sequence[str] | Literal["all", "cheap"], train: EncodedSplit, evaluated: EncodedSplit, seed: int
) -> MeasureResults:
    """Run measures on a split, whether a model or PCA encoded it.

    Measures whose labels or reconstructions are missing are left out. Images whose label is −1 count in no
    measure that needs labels.

    Args:
        names: Measure names, or one of the words ``"all"`` and ``"cheap"``.
        train: Split that clusters, class means and Gaussians are fitted to.
        evaluated: Split that is judged.
        seed: Fixes whatever is drawn, so that the same splits give the same values.

    Returns:
        Values by metric name and seconds by measure name, in the order of ``MEASURES``.

    Raises:
        ConfigError: If a name is not known.
        ValueError: If codes or reconstructions are not finite, or the two splits' codes differ in size.
    """
    chosen = select_measures(names)
    _require_comparable(train, evaluated)
    given = _given(train, evaluated)
    results = MeasureResults()
    for measure in chosen:
        if measure.needs <= given:
            start = time.perf_counter()
            results.values.update(measure.compute(train, evaluated, seed))
            results.seconds[measure.name] = time.perf_counter() - start
    return results


def select_measures(names: Sequence[str] | Literal["all", "cheap"]) -> tuple[Measure, ...]:
    """Find measures by name, so that a config can be refused before any training.

    Args:
        names: Measure names, or one of the words ``"all"`` and ``"cheap"``.

    Returns:
        The measures in the order of ``MEASURES``, each once.

    Raises:
        ConfigError: If a name is not known.
    """
    if names == "all":
        return MEASURES
    if names == "cheap":
        return tuple(measure for measure in MEASURES if measure.cost == "cheap")
    wanted = {names} if isinstance(names, str) else set(names)
    known = {measure.name for measure in MEASURES}
    for name in sorted(wanted - known):
        raise ConfigError(unknown_name("evaluation.measures", name, known | {"all", "cheap"}))
    return tuple(measure for measure in MEASURES if measure.name in wanted)


def _given(train: EncodedSplit, evaluated: EncodedSplit) -> frozenset[Need]:
    held: dict[Need, bool] = {
        "reconstructions": evaluated.reconstructions is not None,
        "labels": evaluated.has_labels,
        "training labels": train.has_labels,
    }
    return frozenset(need for need, is_held in held.items() if is_held)


def _require_comparable(train: EncodedSplit, evaluated: EncodedSplit) -> None:
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
        raise ValueError(f"{num_bad} of {len(rows)} {what} are not finite")


def _of_pixels(name: str, function: Callable[[NDArray[np.float32], NDArray[np.float32]], float], cost: Cost) -> Measure:
    def compute(train: EncodedSplit, evaluated: EncodedSplit, seed: int) -> dict[str, float]:
        assert evaluated.reconstructions is not None
        return {name: function(evaluated.images, evaluated.reconstructions)}

    return Measure(name, compute, cost, frozenset({"reconstructions"}))


def _of_classes(name: str, function: Callable[[EncodedSplit, EncodedSplit], float]) -> Measure:
    def compute(train: EncodedSplit, evaluated: EncodedSplit, seed: int) -> dict[str, float]:
        return {f"{name}_accuracy": function(train, evaluated)}

    return Measure(name, compute, "cheap", frozenset({"labels", "training labels"}))


MEASURES: tuple[Measure, ...] = (
    _of_pixels("mse", mse, "cheap"),
    _of_pixels("psnr", psnr, "cheap"),
    _of_pixels("ssim", ssim, "full"),
    Measure("kmeans", kmeans, "cheap", frozenset({"labels"})),
    Measure("gmm", gmm, "full", frozenset({"labels"})),
    _of_classes("nearest_centroid", nearest_centroid_accuracy),
    _of_classes("class_gaussian", class_gaussian_accuracy),
)
"""Every measure there is, in the order in which they run."""
