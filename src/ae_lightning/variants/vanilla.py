"""`VanillaAE`: the undercomplete autoencoder."""

from __future__ import annotations

from torch import Tensor

from ae_lightning.autoencoder import Autoencoder
from ae_lightning.draws import Draws


class VanillaAE(Autoencoder):
    """Minimise rec(x, g(f(x))) through a code smaller than the image (documents 000, 001 and 002)."""

    def loss_terms(self, x_BCHW: Tensor, draws: Draws) -> dict[str, Tensor]:
        """Return the reconstruction alone."""
        return {"reconstruction": self.reconstruction_term(x_BCHW, self.encode(x_BCHW))}
