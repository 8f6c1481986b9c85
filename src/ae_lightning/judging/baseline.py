"""PCA in a model's place: fitted to the same samples, judged as the model is."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ae_lightning.judging.cache import fingerprint
from ae_lightning.judging.case import Case
from ae_lightning.judging.measure import Measure
from ae_lightning.judging.numpy_model import NumpyModel
from ae_lightning.judging.once import once
from ae_lightning.judging.pca import FitSamples, encoded_by, fitted_pca
from ae_lightning.judging.quantised_pca import fitted_quantised_pca


class Baseline:
    """PCA of a model's case, fitted when it is first asked for and not before.

    It has as many components as a latent has numbers; where that is discrete, it is quantised to no more bits.

    Args:
        case: The model's.
    """

    def __init__(self, case: Case) -> None:
        self._case = case
        self._bits = None if case.model is None else case.model.code_bits
        self._bounds = case.evaluated.value_range if case.model is not None and case.model.is_bounded else None
        self._num_components = case.evaluated.decodable[0].size
        self._samples = case.fit_samples or FitSamples(lambda: case.train.x, case.cache)

    @once
    def model(self) -> NumpyModel:
        """PCA as functions on arrays."""
        shape, seed, bounds = self._case.train.x.shape[1:], self._case.seed, self._bounds
        if self._bits is None:
            return fitted_pca(self._samples, shape, self._num_components, seed, bounds)
        return fitted_quantised_pca(self._samples, shape, self._bits, seed, bounds)

    @once
    def case(self) -> Case:
        """The case with PCA's codes and reconstructions."""
        train, evaluated = encoded_by(self.model, self._case.train, self._case.evaluated)
        return replace(self._case, train=train, evaluated=evaluated, model=self.model)

    @cached_property
    def _splits(self) -> str:
        train, evaluated = self._case.train, self._case.evaluated
        arrays = train.x, train.labels, evaluated.x, evaluated.labels
        baseline = f"{self._num_components} {self._bits} {self._bounds} {self._samples.key}"
        return fingerprint(*arrays, baseline, self._case.seed)

    def key(self, measure: Measure) -> str:
        """Name the result of a measure by everything that goes into it."""
        case = self._case
        parts: list[str | int | NDArray[np.generic] | None] = ["pca", measure.name, self._splits]
        if "corrupted images" in measure.needs and case.corrupted is not None:
            parts.append(case.corrupted.corrupted)
        if "overlaid images" in measure.needs and case.overlaid is not None:
            parts += [case.overlaid.images, case.overlaid.labels]
        if "novel class" in measure.needs:
            parts.append(case.novel_class)
        return fingerprint(*parts)
