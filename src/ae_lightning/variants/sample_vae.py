"""`SampleVAE`: the KL term of the batch's distribution, not of each image's."""

from __future__ import annotations

from typing import Unpack

from torch import Tensor

from ae_lightning.batch_posterior import Estimator, batch_posterior_kl
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

    def kl_term(self, mean_BL: Tensor, log_variance_BL: Tensor) -> Tensor:
        """Return the KL of the batch's distribution to the prior, in nats, shape ()."""
        return batch_posterior_kl(mean_BL, log_variance_BL, self.estimator)
