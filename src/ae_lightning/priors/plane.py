"""What priors share that have a shape in the plane of the first two dimensions, and none beyond."""

from __future__ import annotations

from abc import abstractmethod
from math import prod

import torch
from torch import Tensor

from ae_lightning.draws import Draws
from ae_lightning.priors.base import Prior
from ae_lightning.priors.densities import equal_gaussians_log_prob, standard_normal_log_prob


class PlanePrior(Prior):
    """A curve or points in the first two dimensions of a code, blurred by Gaussian noise; N(0, 1) beyond.

    A code of one dimension has the first of the two. The density is that of `num_centres` Gaussians along the curve:
    exact where it is made of points, and where they lie much closer than `std`, to far below a thousandth of a nat but
    at the curve's ends.

    Args:
        num_centres: How many Gaussians the density is made of.
        std: Standard deviation of the noise.
    """

    def __init__(self, num_centres: int, std: float) -> None:
        self.std = std
        # Within the k-th of so many equal parts of [0, 1), its middle stands for all.
        self._middles = (torch.arange(num_centres) + 0.5) / num_centres

    @abstractmethod
    def centres(self, u_N: Tensor) -> Tensor:
        """Return the points of the curve, shape (N, 2), at shares of its length in [0, 1)."""

    def draw(self, draws: Draws, code_shape: tuple[int, ...], given: Tensor | None = None) -> Tensor:
        """See ``Prior.draw``."""
        z_BL = draws.normal(prod(code_shape))
        centre_B2 = self.centres(draws.uniform())
        in_plane = min(2, z_BL.shape[1])
        plane = centre_B2[:, :in_plane] + self.std * z_BL[:, :in_plane]
        return torch.cat([plane, z_BL[:, in_plane:]], dim=1).view(-1, *code_shape)

    def log_prob(self, latent: Tensor, given: Tensor | None = None) -> Tensor:
        """See ``Prior.log_prob``."""
        z_BL = latent.flatten(1)
        in_plane = min(2, z_BL.shape[1])
        centres = self.centres(self._middles.to(z_BL))[:, :in_plane]
        return equal_gaussians_log_prob(z_BL[:, :in_plane], centres, self.std) + standard_normal_log_prob(z_BL[:, 2:])
