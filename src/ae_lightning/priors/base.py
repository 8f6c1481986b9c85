"""What a prior is."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor

from ae_lightning.draws import Draws
from ae_lightning.parts import Recipe


class Prior(Recipe, ABC):
    """A distribution over codes, as the constructor's arguments describe it."""

    @abstractmethod
    def draw(self, draws: Draws, code_shape: tuple[int, ...], given: Tensor | None = None) -> Tensor:
        """Draw a code for each sample of a batch.

        Args:
            draws: The random numbers of the batch.
            code_shape: Of a code: (L,), or of a map (L, h, w).
            given: Classes, int64, shape (B,), −1 where missing; None unless the model needs labels.

        Returns:
            Shape (B, *code_shape), float32.
        """

    def log_prob(self, latent: Tensor, given: Tensor | None = None) -> Tensor:
        """Return the log-density of codes in nats, shape (B,), where the prior has one.

        Args:
            latent: Shape (B, *code_shape).
            given: As `draw` takes it.

        Raises:
            NotImplementedError: If it has none.
        """
        raise NotImplementedError(f"{type(self).__name__} has no density")

    @property
    def has_density(self) -> bool:
        """Whether there is a `log_prob`."""
        return type(self).log_prob is not Prior.log_prob
