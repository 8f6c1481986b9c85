"""Every measure by name, and one function that runs a choice of them.

A new measure is a function in a file of its own and one entry in ``MEASURES``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ae_lightning.errors import ConfigError, NotFiniteError, unknown_name
from ae_lightning.evaluation.activity import active_units
from ae_lightning.evaluation.case import Case, Need
from ae_lightning.evaluation.chunks import chunks, sample_rows
from ae_lightning.evaluation.classification import class_gaussian_accuracy, nearest_centroid_accuracy
from ae_lightning.evaluation.clustering import gmm_accuracy, kmeans_agreement
from ae_lightning.evaluation.coder import Coder
from ae_lightning.evaluation.compression import at_operating_point, compression_curve
from ae_lightning.evaluation.denoising import denoising_psnr_gain
from ae_lightning.evaluation.encoded import EncodedSplit
from ae_lightning.evaluation.few_shot import few_shot_accuracies
from ae_lightning.evaluation.frechet import NUM_DRAWN, frechet_distance
from ae_lightning.evaluation.measure import Cost, Found, Guard, Measure, MeasureResults
from ae_lightning.evaluation.neighbours import knn_accuracy
from ae_lightning.evaluation.novelty import novelty_auroc, novelty_auroc_code
from ae_lightning.evaluation.overlay import overlay_accuracies
from ae_lightning.evaluation.pixels import mse, psnr, ssim
from ae_lightning.evaluation.prior_distance import MAX_COMPARED_CODES, prior_mmd, prior_swd
from ae_lightning.evaluation.probing import linear_probe_accuracy
from ae_lightning.evaluation.retrieval import hash_map, retrieval_map

Choice = Sequence[str] | Literal["all", "cheap"]
"""Measure names, or one of the words ``"all"`` and ``"cheap"``."""


def run_measures(names: Choice, case: Case, guard: Guard = nullcontext) -> MeasureResults:
    """Run measures on a case, whether a model or PCA made its codes.

    Measures for which something is missing are left out. Images whose label is −1 count in no measure that needs
    labels.

    Args:
        names: Measure names, or one of the words ``"all"`` and ``"cheap"``.
        case: What is judged; the same case gives the same values.
        guard: What surrounds each measure; one whose failure it takes is left out. None is taken by default.

    Returns:
        Values by metric name and seconds by measure name, in the order of ``MEASURES``.

    Raises:
        ConfigError: If a name is not known.
        NotFiniteError: If codes or reconstructions are not finite.
        ValueError: If the two splits' codes differ in size.
    """
    chosen = applicable_measures(names, case)
    require_comparable(case.train, case.evaluated)
    results = MeasureResults()
    for measure in chosen:
        with guard(f"the measure {measure.name}"):
            results.add(measure, *measure.timed(case))
    return results


def applicable_measures(names: Choice, case: Case) -> tuple[Measure, ...]:
    """Select the measures for which the case holds everything.

    Raises:
        ConfigError: If a name is not known.
    """
    given = case.given
    return tuple(measure for measure in select_measures(names) if measure.needs <= given)


def select_measures(names: Choice) -> tuple[Measure, ...]:
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


def needs_of(names: Choice) -> frozenset[Need]:
    """Return all that the measures need, so that nothing is prepared for none of them.

    Raises:
        ConfigError: If a name is not known.
    """
    return frozenset().union(*(measure.needs for measure in select_measures(names)))


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


def _coder(case: Case) -> Coder:
    assert case.coder is not None
    return case.coder


def _pixels(case: Case) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    assert case.evaluated.reconstructions is not None
    return case.evaluated.images, case.evaluated.reconstructions


def _novelty(case: Case) -> dict[str, float]:
    assert case.novel_class is not None
    values = {"novelty_auroc_code": novelty_auroc_code(case.mixture, case.evaluated, case.novel_class)}
    return {"novelty_auroc": novelty_auroc(case.evaluated, case.novel_class), **values}


def _retrieval(case: Case) -> dict[str, float]:
    splits = case.train, case.evaluated
    return {"retrieval_map": retrieval_map(*splits, case.seed), "hash_map": hash_map(*splits, case.seed)}


def _denoising(case: Case) -> dict[str, float]:
    assert case.corrupted is not None
    return {"denoising_psnr_gain": denoising_psnr_gain(case.corrupted, _coder(case))}


def _prior(case: Case) -> dict[str, float]:
    images = sample_rows(case.evaluated.images, MAX_COMPARED_CODES, case.seed)
    codes = _coder(case).draw_posterior(images, case.seed)
    draws = _coder(case).draw_prior(len(images), case.seed)
    return {"prior_mmd": prior_mmd(codes, draws), "prior_swd": prior_swd(codes, draws, case.seed)}


def _sample_frechet(case: Case) -> dict[str, float]:
    real = case.classifier_features(sample_rows(case.evaluated.images, NUM_DRAWN, case.seed))
    codes = {
        "sample_frechet": _coder(case).draw_prior(NUM_DRAWN, case.seed),
        "sample_frechet_gmm": case.mixture.sample(NUM_DRAWN, case.seed),
    }
    return {name: frechet_distance(_decoded_features(case, drawn), real) for name, drawn in codes.items()}


def _decoded_features(case: Case, codes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Features of the images of codes, which are never held all together."""
    pieces = chunks(len(codes), case.evaluated.images[0].size)
    return np.concatenate([case.classifier_features(_coder(case).decode(codes[rows])) for rows in pieces])


def _compression(case: Case) -> Found:
    curve = compression_curve(case.train, case.evaluated, _coder(case), case.seed)
    return Found(at_operating_point(curve), curve)


def _overlay(case: Case) -> dict[str, float]:
    assert case.overlaid is not None
    codes = _coder(case).encode(case.overlaid.images)
    return overlay_accuracies(case.mixture, case.evaluated, codes, case.overlaid.labels)


def _measure(name: str, function: Callable[[Case], dict[str, float]], cost: Cost, *needs: Need) -> Measure:
    return Measure(name, lambda case: Found(function(case)), cost, frozenset(needs))


def _number(name: str, function: Callable[[Case], float], cost: Cost, *needs: Need) -> Measure:
    return _measure(name, lambda case: {name: function(case)}, cost, *needs)


def _classifier(name: str, function: Callable[[EncodedSplit, EncodedSplit, int], float], cost: Cost) -> Measure:
    def compute(case: Case) -> dict[str, float]:
        return {f"{name}_accuracy": function(case.train, case.evaluated, case.seed)}

    return _measure(name, compute, cost, "labels", "training labels")


MEASURES: tuple[Measure, ...] = (
    _number("mse", lambda case: mse(*_pixels(case)), "cheap", "reconstructions"),
    _number("psnr", lambda case: psnr(*_pixels(case)), "cheap", "reconstructions"),
    _number("ssim", lambda case: ssim(*_pixels(case)), "full", "reconstructions", "three pixels a side"),
    _measure("kmeans", lambda case: kmeans_agreement(case.kmeans_clusters, case.evaluated), "cheap", "labels"),
    _measure("gmm", lambda case: {"gmm_accuracy": gmm_accuracy(case.mixture, case.evaluated)}, "full", "labels"),
    _classifier("nearest_centroid", lambda train, evaluated, _: nearest_centroid_accuracy(train, evaluated), "cheap"),
    _classifier("class_gaussian", lambda train, evaluated, _: class_gaussian_accuracy(train, evaluated), "cheap"),
    _number("active_units", lambda case: active_units(case.evaluated.codes), "cheap"),
    _classifier("linear_probe", linear_probe_accuracy, "full"),
    _classifier("knn", knn_accuracy, "full"),
    _measure(
        "few_shot",
        lambda case: few_shot_accuracies(case.train, case.evaluated, case.seed),
        "full",
        "labels",
        "training labels",
    ),
    _measure("novelty", _novelty, "full", "reconstructions", "novel class"),
    _measure("retrieval", _retrieval, "full", "labels", "training labels"),
    _measure("denoising", _denoising, "full", "coder", "corrupted images"),
    _measure("prior", _prior, "full", "coder", "two images"),
    _measure("sample_frechet", _sample_frechet, "full", "coder", "training labels", "two images"),
    Measure("compression", _compression, "full", frozenset({"coder"})),
    _measure("overlay", _overlay, "full", "coder", "labels", "overlaid images"),
)
"""Every measure there is, in the order in which they run."""
