"""`VAE`: the variational autoencoder."""

from __future__ import annotations

from torch import Tensor

from ae_lightning.losses.divergence import gaussian_kl
from ae_lightning.models.variational import VariationalAutoencoder


class VAE(VariationalAutoencoder):
    """Minimise rec(x, g(z)) + β·KL(N(μ, σ²) ‖ N(0, I)) with z = μ + σ·ε (Kingma & Welling 2014, equation 10).

    With the reconstruction summed over pixels and β = 1 the objective is the negative ELBO of a Gaussian likelihood of
    variance ½, up to a constant (Higgins et al. 2017 for other β).
    """

    def kl_term(self, mean_BL: Tensor, log_variance_BL: Tensor) -> Tensor:
        """Return the KL of each image's distribution to the prior, in nats, shape (B,)."""
        return gaussian_kl(mean_BL, log_variance_BL)
