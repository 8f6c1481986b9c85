"""The measures of a model, and PCA's beside them."""

from __future__ import annotations

import time
from collections import ChainMap
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial

import numpy as np

from ae_lightning.judging.baseline import Baseline
from ae_lightning.judging.cache import Arrays, fingerprint
from ae_lightning.judging.case import Case
from ae_lightning.judging.image_codecs import image_codec_curves
from ae_lightning.judging.jobs import Job, run_jobs
from ae_lightning.judging.measure import (
    Curve,
    Found,
    Measure,
    MeasureRun,
    applicable_measures,
    asks_no_network,
    measures_of,
)
from ae_lightning.judging.named_part import Guard

_VALUE, _CURVE, _SECONDS = "value/", "curve/", "seconds"


@dataclass(frozen=True)
class Judgement:
    """All that is logged of an evaluation.

    Attributes:
        values: Value by metric name; PCA's are named ``pca_NAME``.
        seconds: Wall time by measure name, PCA's as ``pca_NAME``, JPEG's and WebP's curves as ``image_codecs``; what is
            kept counts with the time that it once took.
        codecs: Columns of rate and distortion by codec: ``autoencoder``, ``pca``, and those of ``image_codec_curves``;
            empty where compression was not measured.
    """

    values: dict[str, float]
    seconds: dict[str, float]
    codecs: dict[str, Curve]


def judge(measures: Sequence[Measure], case: Case, *, with_pca: bool, guard: Guard = nullcontext) -> Judgement:
    """Run measures on a model's case, and on PCA's of the same images.

    PCA has as many components as a latent has numbers; where that is discrete, it is quantised to no more bits. Where
    the samples have bounds and the model's output keeps to some, what PCA decodes is clipped to the samples'. It is
    fitted to ``case.fit_samples``, whatever part of them ``case.train`` holds.

    What PCA gives depends on the images alone: it is looked up in the case's cache, measure by measure. Of a user's own
    measures nothing is kept, since what they compute may change without a trace in the keys.

    Args:
        measures: From ``select_measures``.
        case: The model's.
        with_pca: Whether PCA is measured at all.
        guard: What surrounds each measure, see ``measures_of``.

    Raises:
        ValueError: If codes or reconstructions are not finite.
    """
    own = measures_of(measures, case, guard)
    pca = _measures_of_pca_on(case, own.measures, guard) if with_pca else measures_of((), case)
    image_codecs: dict[str, Curve] = {}
    codec_seconds: dict[str, float] = {}

    def compress() -> None:
        with guard("the curves of JPEG and WebP"):
            curves, codec_seconds["image_codecs"] = _image_codecs(case)
            image_codecs.update(curves)

    compressing = [Job(compress)] if _has_codecs(own.measures) else []
    run_jobs([*own.jobs(asks_no_network), *pca.jobs(lambda measure: measure.is_built_in), *compressing])
    results = {"autoencoder": own.results, "pca": pca.results}
    codecs = {name: one.curves["compression"] for name, one in results.items() if "compression" in one.curves}
    return Judgement(
        _beside(*(one.values for one in results.values())),
        _beside(*(one.seconds for one in results.values())) | codec_seconds,
        # There is nothing to hold them against where compression could not be measured.
        codecs | image_codecs if codecs else {},
    )


def num_parts(measures: Sequence[Measure], case: Case, *, with_pca: bool) -> int:
    """Return how many parts ``judge`` tells its guard of, but for the fit of PCA, which is not always needed."""
    own = applicable_measures(measures, case)
    return len(own) + (len(_measures_of_pca(own)) if with_pca else 0) + _has_codecs(own)


def _has_codecs(measures: Sequence[Measure]) -> bool:
    return any(measure.name == "compression" for measure in measures)


def _measures_of_pca(measures: Sequence[Measure]) -> tuple[Measure, ...]:
    return tuple(measure for measure in measures if not measure.of_models_alone)


def _measures_of_pca_on(case: Case, measures: Sequence[Measure], guard: Guard) -> MeasureRun:
    pca = Baseline(case)
    chosen = _measures_of_pca(measures)
    keys = {measure.name: pca.key(measure) for measure in chosen if measure.is_built_in}
    if not all(measure.name in keys and case.cache.holds(keys[measure.name]) for measure in chosen):
        with guard("the fit of PCA"):
            _ = pca.case

    def time(measure: Measure) -> tuple[Found, float]:
        if measure.name not in keys:
            return measure.timed(pca.case)
        return _unpacked(case.cache.get(keys[measure.name], partial(_measured, measure, pca)))

    return MeasureRun(chosen, time, guard, " of PCA")


def _measured(measure: Measure, pca: Baseline) -> Arrays:
    found, seconds = measure.timed(pca.case)
    values = {f"{_VALUE}{name}": np.array(value) for name, value in found.values.items()}
    return values | _columns(found.curve, _CURVE) | {_SECONDS: np.array(seconds)}


def _unpacked(kept: Arrays) -> tuple[Found, float]:
    values = {name.removeprefix(_VALUE): float(kept[name]) for name in kept if name.startswith(_VALUE)}
    return Found(values, _curve(kept, _CURVE)), float(kept[_SECONDS])


def _image_codecs(case: Case) -> tuple[dict[str, Curve], float]:
    """Return the curves of JPEG and WebP and the seconds they took when they were computed."""

    def compute() -> Arrays:
        start = time.perf_counter()
        curves = image_codec_curves(case.evaluated, case.seed)
        columns = [_columns(curve, f"{codec}/") for codec, curve in curves.items()]
        return dict(ChainMap(*reversed(columns))) | {_SECONDS: np.array(time.perf_counter() - start)}

    kept = case.cache.get(fingerprint("image codecs", case.evaluated.x, case.seed), compute)
    codecs = dict.fromkeys(name.split("/")[0] for name in kept if name != _SECONDS)
    return {codec: _curve(kept, f"{codec}/") for codec in codecs}, float(kept[_SECONDS])


def _columns(curve: Curve, prefix: str) -> Arrays:
    return {f"{prefix}{name}": np.array(column) for name, column in curve.items()}


def _curve(kept: Arrays, prefix: str) -> Curve:
    return {name.removeprefix(prefix): kept[name].tolist() for name in kept if name.startswith(prefix)}


def _beside(own: dict[str, float], pca: dict[str, float]) -> dict[str, float]:
    return own | {f"pca_{name}": value for name, value in pca.items()}
