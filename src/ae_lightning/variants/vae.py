"""`VAE`: the variational autoencoder."""

from __future__ import annotations

from typing import ClassVar, Literal, Unpack

from torch import Tensor

from ae_lightning.losses.divergence import gaussian_kl, gaussian_log_prob
from ae_lightning.models.options import AutoencoderOptions
from ae_lightning.models.variational import VariationalAutoencoder
from ae_lightning.training.schedules import Annealing


class VAE(VariationalAutoencoder):
    """Minimise rec(x, g(z)) + β·KL(N(μ, σ²) ‖ N(0, I)) with z = μ + σ·ε (Kingma & Welling 2014, equation 10).

    With the reconstruction summed over pixels and β = 1 the objective is the negative ELBO of a Gaussian likelihood of
    variance ½, up to a constant (Higgins et al. 2017 for other β). To another prior than N(0, I) the KL is estimated on
    the drawn code, log q(z | x) − log p(z) (Tomczak & Welling 2018, section 2).

    Args:
        beta: Weight of the KL term: a number, its annealing (`start`, `end`, `warmup_epochs`), or `auto`, min(1,
            D / 784) for samples of D values, so that small images do not give their code up.
    """

    takes_any_prior: ClassVar[bool] = True

    def __init__(
        self, *, beta: float | Annealing | Literal["auto"] = "auto", **options: Unpack[AutoencoderOptions]
    ) -> None:
        super().__init__(beta=beta, **options)

    def kl_term(self, mean_BL: Tensor, log_variance_BL: Tensor, z_BL: Tensor, given: Tensor | None) -> Tensor:
        """Return the KL of each image's distribution to the prior, or its estimate, in nats, shape (B,)."""
        if self.has_standard_prior:
            return gaussian_kl(mean_BL, log_variance_BL)
        return gaussian_log_prob(z_BL, mean_BL, log_variance_BL) - self.prior.log_prob(z_BL, given)
