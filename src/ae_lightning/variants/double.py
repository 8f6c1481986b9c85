"""`DoubleAE`: images and codes both survive the round trip."""

from __future__ import annotations

from typing import Unpack

from ae_lightning.autoencoder import AutoencoderOptions
from ae_lightning.checks import require_non_negative
from ae_lightning.latent_cycle import LatentCycle, Schedule


class DoubleAE(LatentCycle):
    """Minimise rec(x, g(f(x))) and, for z ~ N(0, I), ‖z − f(g(z))‖² (document 000's double autoencoder).

    Args:
        schedule: `alternating`: 10 rounds, each an equal share of the training, first the latent cycle alone, then the
            reconstruction alone. `joint`: both in every step.
        latent_weight: Weight of the latent cycle in `joint`, and in the objective that validation reports.

    Raises:
        ConfigError: If latent_weight is negative.
    """

    def __init__(
        self,
        *,
        schedule: Schedule = "alternating",
        latent_weight: float = 1.0,
        **options: Unpack[AutoencoderOptions],
    ) -> None:
        super().__init__(**options)
        self.schedule = schedule
        self.latent_weight = require_non_negative("model.latent_weight", latent_weight)
