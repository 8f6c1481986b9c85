"""`SampleVAE`: the KL term of the batch's distribution, not of each image's."""

from __future__ import annotations

from ae_lightning.models.batch_posterior import BatchPosterior


class SampleVAE(BatchPosterior):
    """Minimise rec(x, g(z)) + β·KL(N(m, v) ‖ N(0, I)), m and v estimated over the batch (Eftimiades).

    The whole batch, of all ranks together, is asked to look like the prior; no single image is, so that the term need
    not cost fidelity.
    """
