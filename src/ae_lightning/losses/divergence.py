"""Divergences between distributions of codes."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def gaussian_kl(mean_BL: Tensor, log_variance_BL: Tensor) -> Tensor:
    """Return KL(N(μ, σ²) ‖ N(0, I)) of each image, in nats.

    ½ Σ_j (μ_j² + σ_j² − 1 − log σ_j²), Kingma & Welling 2014, appendix B.

    Args:
        mean_BL: μ, shape (B, L), or of maps (B, L, h, w).
        log_variance_BL: log σ², of the same shape.

    Returns:
        Shape (B,).
    """
    return 0.5 * (mean_BL.square() + log_variance_BL.exp() - 1 - log_variance_BL).flatten(1).sum(dim=1)


def gaussian_log_prob(z_BL: Tensor, mean_BL: Tensor, log_variance_BL: Tensor) -> Tensor:
    """Return log N(z; μ, σ²) of each image, in nats: shape (B,).

    Args:
        z_BL: Where, shape (B, L), or of maps (B, L, h, w).
        mean_BL: μ, of the same shape.
        log_variance_BL: log σ², of the same shape.
    """
    squares_BL = (z_BL - mean_BL).square() * (-log_variance_BL).exp()
    return -0.5 * (squares_BL + log_variance_BL + math.log(2 * math.pi)).flatten(1).sum(dim=1)


def diagonal_gaussian_kl(mean_L: Tensor, variance_L: Tensor) -> Tensor:
    """Return KL(N(m, v) ‖ N(0, I)) of one Gaussian with a diagonal covariance, in nats, shape ().

    ½ Σ_j (m_j² + v_j − 1 − log v_j). A variance of 0, as of a constant batch, is taken as the smallest normal number
    of its type, so that the term stays finite.

    Args:
        mean_L: m, shape (L,).
        variance_L: v, shape (L,).
    """
    variance_L = variance_L.clamp_min(torch.finfo(variance_L.dtype).tiny)
    return 0.5 * (mean_L.square() + variance_L - 1 - variance_L.log()).sum()


def bernoulli_kl(rho: float, mean_L: Tensor) -> Tensor:
    """Return Σ_j KL(ρ ‖ ρ̂_j) between Bernoulli distributions, in nats, shape ().

    ρ log(ρ / ρ̂_j) + (1 − ρ) log((1 − ρ) / (1 − ρ̂_j)), the sparsity loss of Ng (2011; Pourreza 2018; Bagul).

    Args:
        rho: Wanted mean activation, in (0, 1).
        mean_L: Mean activation of each hidden unit, in [0, 1], shape (L,).
    """
    tiny = torch.finfo(mean_L.dtype).eps
    mean_L = mean_L.clamp(tiny, 1 - tiny)
    return (rho * (rho / mean_L).log() + (1 - rho) * ((1 - rho) / (1 - mean_L)).log()).sum()
