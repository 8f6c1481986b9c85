"""`GaussianMixture`: a few Gaussians where the codes lie."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ae_lightning.checks import require_at_least
from ae_lightning.judging.mixture import fit_mixture
from ae_lightning.judging.numpy_model import Labels, Rows
from ae_lightning.labels import MISSING_LABEL
from ae_lightning.samplers.base import MAX_COVARIANCE_VALUES, Sampler, choose


class GaussianMixture(Sampler):
    """A mixture of Gaussians with full covariances, fitted by expectation maximisation (Ghosh et al. 2020, section 4).

    Of a model that needs labels there is a mixture for each class.

    Args:
        num_components: Gaussians of the mixture, or of each class; no more than there are codes.

    Raises:
        ConfigError: If there is none.
    """

    max_values: ClassVar[int | None] = MAX_COVARIANCE_VALUES

    def __init__(self, num_components: int = 10) -> None:
        self.num_components = require_at_least("sampler.num_components", num_components)

    def fit_codes(self, codes: Rows, seed: int, labels: Labels | None) -> dict[str, NDArray[Any]]:
        """Return weights, means, roots of the covariances, and the class of each Gaussian; 0 where codes coincide."""
        labels = np.full(len(codes), MISSING_LABEL) if labels is None else labels
        parts = []
        for label in np.unique(labels):
            own = codes[labels == label]
            weights, means, roots = fit_mixture(own, self.num_components, seed).parameters()
            classes = np.full(len(weights), label, np.int64)
            parts.append((weights * (len(own) / len(codes)), means, roots, classes))
        names = ("weights", "means", "roots", "classes")
        return {name: np.concatenate(arrays) for name, arrays in zip(names, zip(*parts, strict=True), strict=True)}

    def draw_codes(self, state: Mapping[str, NDArray[Any]], num: int, seed: int, given: Labels | None) -> Rows:
        """See ``Sampler.draw_codes``."""
        chosen = choose(state["weights"], state["classes"], num, seed, given)
        codes = np.random.default_rng([seed, 1]).normal(size=(num, state["means"].shape[1]))
        for component in np.unique(chosen):
            rows = chosen == component
            codes[rows] = codes[rows] @ state["roots"][component].T + state["means"][component]
        return codes
