"""`DoubleSampleVAE`: the double autoencoder with the sample-estimated KL term."""

from __future__ import annotations

from ae_lightning.models.batch_posterior import BatchPosterior
from ae_lightning.models.latent_cycle import LatentCycle


class DoubleSampleVAE(LatentCycle, BatchPosterior):
    """Minimise rec(x, g(z)) + β·KL(N(m, v) ‖ N(0, I)) of the batch, and ‖z − f(g(z))‖² for z ~ N(0, I).

    Eftimiades, future directions: "combine double and variational with sample estimated loss".
    """
