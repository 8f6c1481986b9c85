"""`SampleVAE`: the KL term of the batch's distribution, not of each image's."""

from __future__ import annotations

from typing import Unpack

from torch import Tensor

from ae_lightning.batch_posterior import Estimator, batch_posterior_kl
from ae_lightning.draws import Draws
from ae_lightning.variational import VariationalAutoencoder, VariationalOptions


class SampleVAE(VariationalAutoencoder):
    """Minimise rec(x, g(z)) + β·KL(N(m, v) ‖ N(0, I)), m and v estimated over the batch (document 000).

    The whole batch, of all ranks together, is asked to look like the prior; no single image is, so that the term need
    not cost fidelity.

    Args:
        estimator: `aggregate`: v is the mean of σ² plus the variance of μ. `posterior`: v is the mean of σ².
    """

    def __init__(self, *, estimator: Estimator = "aggregate", **options: Unpack[VariationalOptions]) -> None:
        super().__init__(**options)
        self.estimator: Estimator = estimator

    def loss_terms(self, x_BCHW: Tensor, draws: Draws) -> dict[str, Tensor]:
        """Return the reconstruction from a drawn code, and the KL of the batch's distribution to the prior."""
        mean_BL, log_variance_BL = self.posterior(x_BCHW)
        z_BL = self.draw_posterior(mean_BL, log_variance_BL, draws)
        return {
            "reconstruction": self.reconstruction_term(x_BCHW, z_BL),
            "kl": batch_posterior_kl(mean_BL, log_variance_BL, self.estimator),
        }
