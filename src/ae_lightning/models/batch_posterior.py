"""What sample-estimated variational autoencoders share: the KL of the batch's own Gaussian to the prior."""

from __future__ import annotations

from typing import Literal, Unpack

import torch
from torch import Tensor

from ae_lightning.checks import require_name
from ae_lightning.losses.divergence import diagonal_gaussian_kl
from ae_lightning.models.options import VariationalOptions
from ae_lightning.models.split_terms import Moments, MomentTerm
from ae_lightning.models.variational import VariationalAutoencoder

Estimator = Literal["aggregate", "posterior"]


class BatchPosteriorOptions(VariationalOptions, total=False):
    """The options of `BatchPosterior`."""

    estimator: Estimator


class BatchPosterior(VariationalAutoencoder):
    """A variational autoencoder whose KL is that of the whole batch, of all ranks together, to N(0, I).

    Args:
        estimator: `aggregate`: v is the mean of σ² plus the variance of μ. `posterior`: v is the mean of σ².

    Raises:
        ConfigError: If the estimator is unknown.
    """

    def __init__(self, *, estimator: Estimator = "aggregate", **options: Unpack[VariationalOptions]) -> None:
        super().__init__(**options)
        self.estimator: Estimator = require_name("model.estimator", estimator, Estimator)

    def kl_term(self, mean_BL: Tensor, log_variance_BL: Tensor, z_BL: Tensor, given: Tensor | None) -> MomentTerm:
        """Return the KL of the distribution of a batch, or of a split, to the prior, in nats."""
        return batch_posterior_kl(mean_BL, log_variance_BL, self.estimator)


def batch_posterior_kl(mean_BL: Tensor, log_variance_BL: Tensor, estimator: Estimator) -> MomentTerm:
    """Return KL(N(m, v) ‖ N(0, I)) in nats, with m and v estimated over the global batch, or over a split (Eftimiades).

    Args:
        mean_BL: μ of each image's code, shape (B, L), or of maps (B, L, h, w).
        log_variance_BL: log σ², of the same shape.
        estimator: `aggregate`: v is the mean of σ² plus the variance of μ, the moments of the aggregate posterior.
            `posterior`: v is the mean of σ².
    """

    def of_moments(moments: Moments) -> Tensor:
        m_L, variance_L = moments.mean.chunk(2)
        if estimator == "aggregate":
            variance_L = variance_L + moments.variance.chunk(2)[0]
        return diagonal_gaussian_kl(m_L, variance_L)

    return MomentTerm(torch.cat([mean_BL.flatten(1), log_variance_BL.exp().flatten(1)], dim=1), of_moments)
