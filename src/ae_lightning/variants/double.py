"""`DoubleAE`: images and codes both survive the round trip."""

from __future__ import annotations

from typing import Unpack

from ae_lightning.models.latent_cycle import LatentCycle, LatentCycleOptions


class DoubleAE(LatentCycle):
    """Minimise rec(x, g(f(x))) and, for z drawn from the prior, ‖z − f(g(z))‖² (Eftimiades's double autoencoder)."""

    def __init__(self, **options: Unpack[LatentCycleOptions]) -> None:
        super().__init__(**options)
