"""`DoubleSampleVAE`: the double autoencoder with the sample-estimated KL term."""

from __future__ import annotations

from typing import Unpack

from ae_lightning.models.batch_posterior import BatchPosterior, BatchPosteriorOptions
from ae_lightning.models.latent_cycle import LatentCycle, Schedule


class DoubleSampleOptions(BatchPosteriorOptions, total=False):
    """The options of both bases."""

    schedule: Schedule
    latent_weight: float


class DoubleSampleVAE(LatentCycle, BatchPosterior):
    """Minimise rec(x, g(z)) + β·KL(N(m, v) ‖ N(0, I)) of the batch, and ‖z − f(g(z))‖² for z of the prior.

    Eftimiades, future directions: "combine double and variational with sample estimated loss".
    """

    def __init__(self, **options: Unpack[DoubleSampleOptions]) -> None:
        super().__init__(**options)
