"""What a sampler is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from math import prod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ae_lightning.errors import ConfigError
from ae_lightning.judging.numpy_model import DrawnLatents, Labels, Rows
from ae_lightning.labels import MISSING_LABEL
from ae_lightning.parts import Recipe

MAX_COVARIANCE_VALUES = 1024
"""Numbers in a code of which whole covariances are estimated: their memory grows with the square, their time faster."""

SHAPE = "shape"
"""Under which a state keeps the shape of a code."""


class Sampler(Recipe, ABC):
    """Draws what a model decodes to samples: fitted to codes of the train split, once training is over.

    What `fit_codes` returns is kept beside the checkpoint, and is all that `draw_codes` may rely on beside the
    constructor's arguments. Codes of any shape are given, and wanted, as rows of numbers.

    Attributes:
        needs_codes: Whether it is fitted to codes at all.
        takes_indices: Whether the codes may be indices.
        max_values: How many numbers a code may have; None for any.
        state: What it was fitted to, as plain arrays; None before that.
    """

    needs_codes: ClassVar[bool] = True
    takes_indices: ClassVar[bool] = False
    max_values: ClassVar[int | None] = None
    state: Mapping[str, NDArray[Any]] | None = None

    @abstractmethod
    def fit_codes(self, codes: Rows, seed: int, labels: Labels | None) -> dict[str, NDArray[Any]]:
        """Return what is to be kept of codes, as arrays.

        Args:
            codes: Shape (N, F), float32.
            seed: Fixes whatever is drawn.
            labels: Shape (N,), −1 where missing; None unless the model needs labels.
        """

    @abstractmethod
    def draw_codes(self, state: Mapping[str, NDArray[Any]], num: int, seed: int, given: Labels | None) -> Rows:
        """Draw codes, the same ones for a seed.

        Args:
            state: What `fit_codes` returned, perhaps in another process.
            num: How many.
            seed: Fixes them.
            given: The class of each, shape (num,), −1 where missing; None unless the model needs labels.

        Returns:
            Shape (num, F).
        """

    def attach(self, draw_prior: DrawnLatents) -> None:
        """Be told how the model draws from its prior; of no use to what is fitted to codes."""

    def require_takes(self, code_shape: tuple[int, ...], *, are_indices: bool) -> None:
        """Refuse codes that it cannot be fitted to.

        Args:
            code_shape: Of a code.
            are_indices: Whether it is no real numbers.

        Raises:
            ConfigError: If these are such codes.
        """
        name = type(self).__name__
        if not self.needs_codes:
            return
        if are_indices and not self.takes_indices:
            raise ConfigError(f"sampler: {name} takes codes of real numbers, and these are indices; Prior takes them")
        if self.max_values is not None and prod(code_shape) > self.max_values:
            most = f"at most {self.max_values:,} numbers, not {prod(code_shape):,}"
            raise ConfigError(f"sampler: {name} takes codes of {most}; Prior and TwoStage take more")

    def fit(self, latents: Rows, seed: int, labels: Labels | None = None) -> None:
        """Be fitted to the latents of training samples.

        Args:
            latents: Shape (N, …), N ≥ 1.
            seed: Fixes whatever is drawn.
            labels: As `fit_codes` takes them.

        Raises:
            ConfigError: If these are no codes that it takes.
        """
        shape = latents.shape[1:]
        self.require_takes(shape, are_indices=latents.dtype.kind != "f")
        self.state = {SHAPE: np.array(shape, np.int64)}
        self.state |= self.fit_codes(latents.reshape(len(latents), -1), seed, labels)

    def draw(self, num: int, seed: int, given: Labels | None = None) -> Rows:
        """Draw latents, shape (num, …), the same ones for a seed.

        Args:
            num: How many.
            seed: Fixes them.
            given: As `draw_codes` takes it.

        Raises:
            ValueError: If it has not been fitted.
        """
        if self.state is None:
            raise ValueError(f"{self!r} has not been fitted to any codes")
        codes = self.draw_codes(self.state, num, seed, given)
        return np.asarray(codes, np.int64 if self.takes_indices else np.float32).reshape(num, *self.state[SHAPE])


def choose(weights: NDArray[np.float64], classes: Labels, num: int, seed: int, given: Labels | None) -> Labels:
    """Choose one of K parts for each sample, with probabilities as their weights within the class that is wanted.

    Args:
        weights: Shape (K,), not negative.
        classes: The class of each part, shape (K,).
        num: How many samples.
        seed: Fixes the choice.
        given: The class of each sample, shape (num,); None, −1, or a class without parts takes all of them.

    Returns:
        Positions of the parts, int64, shape (num,).
    """
    shares = np.random.default_rng(seed).random(num)
    wanted = np.full(num, MISSING_LABEL) if given is None else given
    chosen = np.empty(num, np.int64)
    for label in np.unique(wanted):
        own = weights * (classes == label) if label != MISSING_LABEL else weights
        ends = np.cumsum(own if own.any() else weights)
        rows = wanted == label
        chosen[rows] = np.searchsorted(ends, shares[rows] * ends[-1], side="right").clip(max=len(weights) - 1)
    return chosen
