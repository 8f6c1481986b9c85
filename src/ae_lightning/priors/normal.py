"""`Normal`: what codes follow unless something else is said."""

from __future__ import annotations

from torch import Tensor

from ae_lightning.draws import Draws
from ae_lightning.priors.base import Prior
from ae_lightning.priors.densities import standard_normal_log_prob


class Normal(Prior):
    """N(0, I)."""

    def draw(self, draws: Draws, code_shape: tuple[int, ...], given: Tensor | None = None) -> Tensor:
        """See ``Prior.draw``."""
        return draws.normal(*code_shape)

    def log_prob(self, latent: Tensor, given: Tensor | None = None) -> Tensor:
        """See ``Prior.log_prob``."""
        return standard_normal_log_prob(latent.flatten(1))
