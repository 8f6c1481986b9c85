"""Log-densities that several priors are made of."""

from __future__ import annotations

import math

from torch import Tensor


def standard_normal_log_prob(z_BL: Tensor) -> Tensor:
    """Return log N(z; 0, I) in nats, shape (B,); 0 where L is 0."""
    return -0.5 * (z_BL.square().sum(1) + z_BL.shape[1] * math.log(2 * math.pi))


def equal_gaussians_log_prob(z_BD: Tensor, centres_KD: Tensor, std: float) -> Tensor:
    """Return the log-density of a mixture of K round Gaussians of equal weight, in nats, shape (B,).

    Args:
        z_BD: Where.
        centres_KD: Their means.
        std: Standard deviation of each along each axis.
    """
    num, size = centres_KD.shape
    squares_BK = ((z_BD[:, None] - centres_KD) / std).square().sum(2)
    constant = math.log(num) + size * (math.log(std) + 0.5 * math.log(2 * math.pi))
    return (-0.5 * squares_BK).logsumexp(1) - constant
