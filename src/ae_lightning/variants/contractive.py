"""`ContractiveAE`: codes that small changes of the image hardly move."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Unpack

import torch
from torch import Tensor

from ae_lightning.checks import require_non_negative
from ae_lightning.data.batch import Batch
from ae_lightning.draws import Draws
from ae_lightning.losses.full_precision import autocast_off
from ae_lightning.losses.penalty import exact_jacobian_norm, jacobian_norm
from ae_lightning.models.autoencoder import Autoencoder
from ae_lightning.models.options import AutoencoderOptions
from ae_lightning.networks.layers import running_statistics


class ContractiveAE(Autoencoder):
    """Minimise rec(x, g(f(x))) + λ·‖∂f/∂x‖²_F (Rifai et al. 2011, equation 5; Bagul).

    Rifai et al. tie the decoder's weights to the encoder's. Here they are its own, as those of deep and convolutional
    networks are, and the norm can be lowered with nothing contracted: a code c times as large, which the decoder
    divides by c, reconstructs as well and has c² times the norm. Norms of different trainings are to be compared only
    beside the size of their codes.

    The Jacobian is taken in 32-bit and, on a network with batch norm, with the running statistics: with those of the
    batch, a code would depend on the other images too.

    Args:
        contraction: λ, the weight of the Jacobian's squared norm.
        exact: Compute the norm from one product a code dimension, rather than estimate it from one random product.

    Raises:
        ConfigError: If contraction is negative.
    """

    def __init__(self, *, contraction: float = 0.1, exact: bool = False, **options: Unpack[AutoencoderOptions]) -> None:
        super().__init__(**options)
        self.contraction = require_non_negative("model.contraction", contraction)
        self.exact = exact

    def loss_terms(self, batch: Batch, draws: Draws) -> dict[str, Tensor]:
        """Return the reconstruction and the squared norm of the encoder's Jacobian."""
        v_BL = draws.rademacher(prod(self.code_shape))
        return {
            "reconstruction": self.reconstruction_term(batch, self.encode(batch.x, batch.labels)),
            "jacobian": self.jacobian_term(batch.x, v_BL, batch.labels),
        }

    def jacobian_term(self, x: Tensor, v_BL: Tensor, given: Tensor | None = None) -> Tensor:
        """Return ‖∂f/∂x‖²_F of each sample, or its estimate from one random vector a code, flattened, shape (B,)."""
        # Validation runs in inference mode, whose tensors have no Jacobian: copies made outside of it do.
        with torch.inference_mode(False), autocast_off(x), running_statistics(self.encoder):
            x, v_BL = x.clone(), v_BL.clone()

            def encode(x: Tensor) -> Tensor:
                return self.encode(x, given).flatten(1)

            return exact_jacobian_norm(encode, x) if self.exact else jacobian_norm(encode, x, v_BL)

    def term_weights(self) -> Mapping[str, float]:
        """Weigh the Jacobian's norm by λ."""
        return {"jacobian": self.contraction}
