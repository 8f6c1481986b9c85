"""`SwissRoll`: a spiral."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ae_lightning.checks import require_positive
from ae_lightning.priors.plane import PlanePrior

_LENGTH = (4.5**2 - 1.5**2) * math.pi**2 / 2
"""Of the spiral, at a scale of 1, but for a percent."""

_PER_STD = 4
"""Gaussians within a standard deviation of the noise, of which the density is made."""


class SwissRoll(PlanePrior):
    """A spiral of one and a half turns in the first two dimensions, N(0, 1) beyond (Makhzani et al. 2015, figure 4).

    Its angle goes from 1.5 π to 4.5 π, its radius is the angle times `scale`: with 0.2, up to 2.8.

    Args:
        scale: Radius for each radian of the angle.
        std: Standard deviation of the noise around it.

    Raises:
        ConfigError: If one is not above 0.
    """

    def __init__(self, scale: float = 0.2, std: float = 0.1) -> None:
        self.scale = require_positive("model.prior.scale", scale)
        super().__init__(math.ceil(_PER_STD * _LENGTH * scale / require_positive("model.prior.std", std)), std)

    def centres(self, u_N: Tensor) -> Tensor:
        """Return points uniform along the spiral's length, which grows with the square of the angle."""
        angle_N = 1.5 * math.pi * (1 + 8 * u_N).sqrt()
        radius_N = self.scale * angle_N
        return torch.stack([radius_N * angle_N.cos(), radius_N * angle_N.sin()], dim=1)
