"""`Prior`: codes as the model's own prior draws them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from numpy.typing import NDArray

from ae_lightning.judging.numpy_model import DrawnLatents, Labels, Rows
from ae_lightning.samplers.base import Sampler


class Prior(Sampler):
    """Draws from the prior of the model that it is attached to; there is nothing to fit."""

    needs_codes: ClassVar[bool] = False
    _draw_prior: DrawnLatents | None = None

    def attach(self, draw_prior: DrawnLatents) -> None:
        """See ``Sampler.attach``."""
        self._draw_prior = draw_prior

    def fit_codes(self, codes: Rows, seed: int, labels: Labels | None) -> dict[str, NDArray[Any]]:
        """Keep nothing."""
        return {}

    def draw_codes(self, state: Mapping[str, NDArray[Any]], num: int, seed: int, given: Labels | None) -> Rows:
        """See ``Sampler.draw_codes``."""
        return self.draw(num, seed, given).reshape(num, -1)

    def draw(self, num: int, seed: int, given: Labels | None = None) -> Rows:
        """Draw latents from the prior, of whatever shape and type they are.

        Raises:
            ValueError: If there is no model yet.
        """
        if self._draw_prior is None:
            raise ValueError("Prior draws from the prior of a model, and has been given to none")
        return self._draw_prior(num, seed, given)
