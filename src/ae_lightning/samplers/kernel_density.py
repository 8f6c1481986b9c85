"""`KernelDensity`: a small Gaussian around each code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ae_lightning.checks import require_name, require_positive
from ae_lightning.judging.chunks import sample_positions
from ae_lightning.judging.gaussian import Whitening
from ae_lightning.judging.numpy_model import Labels, Rows
from ae_lightning.labels import MISSING_LABEL
from ae_lightning.samplers.base import MAX_COVARIANCE_VALUES, Sampler, choose

Rule = Literal["scott", "silverman"]

MAX_KEPT = 20_000
"""Training codes that are kept; of more of them a fixed random sample."""


class KernelDensity(Sampler):
    """A Gaussian kernel density estimate: a training code, and noise of the codes' own covariance, scaled down.

    Of a model that needs labels the training codes are those of the class that is wanted. In many dimensions both rules
    make the noise nearly as wide as the codes themselves; a number keeps it smaller.

    Args:
        bandwidth: Standard deviation of the noise, as a share of the codes'. `scott`: N^(−1 / (F + 4)) for N codes of F
            numbers (Scott 1992). `silverman`: that times (4 / (F + 2))^(1 / (F + 4)) (Silverman 1986). Or a number.

    Raises:
        ConfigError: If the rule is unknown, or the number not above 0.
    """

    max_values: ClassVar[int | None] = MAX_COVARIANCE_VALUES

    def __init__(self, bandwidth: Rule | float = "scott") -> None:
        key = "sampler.bandwidth"
        if isinstance(bandwidth, str):
            require_name(key, bandwidth, Rule)
        else:
            require_positive(key, bandwidth)
        self.bandwidth = bandwidth

    def factor(self, num_codes: int, num_values: int) -> float:
        """Return the bandwidth, as a share of the codes' own deviations."""
        if isinstance(self.bandwidth, float | int):
            return float(self.bandwidth)
        power = 1 / (num_values + 4)
        scott = float(num_codes**-power)
        return scott if self.bandwidth == get_args(Rule)[0] else scott * (4 / (num_values + 2)) ** power

    def fit_codes(self, codes: Rows, seed: int, labels: Labels | None) -> dict[str, NDArray[Any]]:
        """Return codes, their classes, and the root of the noise's covariance; 0 where all codes are the same."""
        root = Whitening.of(codes).back.T
        chosen = sample_positions(len(codes), MAX_KEPT, seed)
        kept = slice(None) if chosen is None else chosen
        labels = np.full(len(codes), MISSING_LABEL) if labels is None else labels
        return {
            "codes": codes[kept],
            "classes": labels[kept],
            "root": root * self.factor(len(codes[kept]), codes.shape[1]),
        }

    def draw_codes(self, state: Mapping[str, NDArray[Any]], num: int, seed: int, given: Labels | None) -> Rows:
        """See ``Sampler.draw_codes``."""
        codes = state["codes"]
        chosen = choose(np.ones(len(codes)), state["classes"], num, seed, given)
        noise = np.random.default_rng([seed, 1]).normal(size=(num, codes.shape[1]))
        return np.asarray(codes[chosen] + noise @ state["root"].T)
