"""Divergences between distributions of codes."""

from __future__ import annotations

from torch import Tensor


def gaussian_kl(mean_BL: Tensor, log_variance_BL: Tensor) -> Tensor:
    """Return KL(N(μ, σ²) ‖ N(0, I)) of each image, in nats.

    ½ Σ_j (μ_j² + σ_j² − 1 − log σ_j²), Kingma & Welling 2014, appendix B.

    Args:
        mean_BL: μ, shape (B, L).
        log_variance_BL: log σ², shape (B, L).

    Returns:
        Shape (B,).
    """
    return 0.5 * (mean_BL.square() + log_variance_BL.exp() - 1 - log_variance_BL).sum(dim=1)
