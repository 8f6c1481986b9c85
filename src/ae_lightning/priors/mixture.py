"""`Mixture`: Gaussians on a circle."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ae_lightning.checks import require_at_least, require_positive
from ae_lightning.priors.plane import PlanePrior


class Mixture(PlanePrior):
    """Equal Gaussians on a circle in the first two dimensions, N(0, 1) beyond (after Makhzani et al. 2015, figure 4).

    Args:
        num_components: How many Gaussians.
        radius: Of the circle.
        std: Standard deviation of each.

    Raises:
        ConfigError: If there is none, or radius or std are not above 0.
    """

    def __init__(self, num_components: int = 10, radius: float = 3.0, std: float = 0.5) -> None:
        require_at_least("model.prior.num_components", num_components)
        super().__init__(num_components, require_positive("model.prior.std", std))
        self.num_components = num_components
        self.radius = require_positive("model.prior.radius", radius)

    def centres(self, u_N: Tensor) -> Tensor:
        """Return the component's mean for each share: the first for the first tenth, say."""
        angle_N = (u_N * self.num_components).floor() * (2 * math.pi / self.num_components)
        radius_N = torch.full_like(angle_N, self.radius)
        return torch.stack([radius_N * angle_N.cos(), radius_N * angle_N.sin()], dim=1)
