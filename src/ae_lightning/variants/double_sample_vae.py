"""`DoubleSampleVAE`: the double autoencoder with the sample-estimated KL term."""

from __future__ import annotations

from typing import Unpack

from torch import Tensor

from ae_lightning.batch_posterior import Estimator, batch_posterior_kl
from ae_lightning.checks import require_non_negative
from ae_lightning.latent_cycle import LatentCycle, Schedule
from ae_lightning.variational import VariationalAutoencoder, VariationalOptions


class DoubleSampleVAE(LatentCycle, VariationalAutoencoder):
    """Minimise rec(x, g(z)) + β·KL(N(m, v) ‖ N(0, I)) of the batch, and the latent cycle.

    Document 000, future directions: "combine double and variational with sample estimated loss".

    Args:
        schedule: `alternating`: 10 rounds, each an equal share of the training, first the latent cycle alone, then the
            other terms alone. `joint`: all in every step.
        latent_weight: Weight of the latent cycle in `joint`, and in the objective that validation reports.
        estimator: `aggregate`: v is the mean of σ² plus the variance of μ. `posterior`: v is the mean of σ².

    Raises:
        ConfigError: If latent_weight is negative.
    """

    def __init__(
        self,
        *,
        schedule: Schedule = "alternating",
        latent_weight: float = 1.0,
        estimator: Estimator = "aggregate",
        **options: Unpack[VariationalOptions],
    ) -> None:
        super().__init__(**options)
        self.schedule = schedule
        self.latent_weight = require_non_negative("model.latent_weight", latent_weight)
        self.estimator: Estimator = estimator

    def kl_term(self, mean_BL: Tensor, log_variance_BL: Tensor) -> Tensor:
        """Return the KL of the batch's distribution to the prior, in nats, shape ()."""
        return batch_posterior_kl(mean_BL, log_variance_BL, self.estimator)
