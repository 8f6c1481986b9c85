"""`VAE`: the variational autoencoder."""

from __future__ import annotations

from torch import Tensor

from ae_lightning.draws import Draws
from ae_lightning.losses.divergence import gaussian_kl
from ae_lightning.variational import VariationalAutoencoder


class VAE(VariationalAutoencoder):
    """Minimise rec(x, g(z)) + β·KL(N(μ, σ²) ‖ N(0, I)) with z = μ + σ·ε (Kingma & Welling 2014, equation 10).

    With the reconstruction summed over pixels and β = 1 the objective is the negative ELBO of a Gaussian likelihood of
    variance ½, up to a constant (Higgins et al. 2017 for other β).
    """

    def loss_terms(self, x_BCHW: Tensor, draws: Draws) -> dict[str, Tensor]:
        """Return the reconstruction from a drawn code, and the KL of its distribution to the prior."""
        mean_BL, log_variance_BL = self.posterior(x_BCHW)
        z_BL = self.draw_posterior(mean_BL, log_variance_BL, draws)
        return {
            "reconstruction": self.reconstruction_term(x_BCHW, z_BL),
            "kl": gaussian_kl(mean_BL, log_variance_BL),
        }
