"""`VAE`: the variational autoencoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Unpack

from torch import Tensor

from ae_lightning.autoencoder import Autoencoder, AutoencoderOptions
from ae_lightning.draws import Draws
from ae_lightning.errors import ConfigError
from ae_lightning.losses.divergence import gaussian_kl


class VAE(Autoencoder):
    """Minimise rec(x, g(z)) + β·KL(N(μ, σ²) ‖ N(0, I)) with z = μ + σ·ε (Kingma & Welling 2014, equation 10).

    The encoder gives μ and log σ². With the reconstruction summed over pixels and β = 1 the objective is the
    negative ELBO of a Gaussian likelihood of variance ½, up to a constant (Higgins et al. 2017 for other β).

    Args:
        beta: Weight of the KL term.

    Raises:
        ConfigError: If beta is negative.
    """

    outputs_per_latent: ClassVar[int] = 2

    def __init__(self, *, beta: float = 1.0, **options: Unpack[AutoencoderOptions]) -> None:
        super().__init__(**options)
        if beta < 0:
            raise ConfigError(f"model.beta: {beta} is not allowed; it must not be negative")
        self.beta = beta

    def posterior(self, x_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Return μ and log σ² of q(z | x), shape (B, L) each, float32."""
        mean_BL, log_variance_BL = self.encoder(x_BCHW).float().chunk(2, dim=1)
        return mean_BL, log_variance_BL

    def encode(self, x_BCHW: Tensor) -> Tensor:
        """Return the mean codes, shape (B, L), float32."""
        return self.posterior(x_BCHW)[0]

    def loss_terms(self, x_BCHW: Tensor, draws: Draws) -> dict[str, Tensor]:
        """Return the reconstruction from a drawn code, and the KL of its distribution to the prior."""
        mean_BL, log_variance_BL = self.posterior(x_BCHW)
        z_BL = mean_BL + (0.5 * log_variance_BL).exp() * draws.normal(self.latent_dim)
        return {
            "reconstruction": self.reconstruction_term(x_BCHW, z_BL),
            "kl": gaussian_kl(mean_BL, log_variance_BL),
        }

    def term_weights(self) -> Mapping[str, float]:
        """Weigh the KL by β."""
        return {"kl": self.beta}
