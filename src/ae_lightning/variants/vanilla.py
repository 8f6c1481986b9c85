"""`VanillaAE`: the undercomplete autoencoder."""

from __future__ import annotations

from ae_lightning.models.autoencoder import Autoencoder


class VanillaAE(Autoencoder):
    """Minimise rec(x, g(f(x))) through a code smaller than the image (Eftimiades; Prajapati 2020)."""
