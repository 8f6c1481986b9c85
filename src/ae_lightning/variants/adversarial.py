"""`AdversarialAE`: codes that a discriminator cannot tell from the prior."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Unpack

import torch
from lightning.pytorch.cli import OptimizerCallable
from torch import Tensor

from ae_lightning.checks import require_non_negative
from ae_lightning.data.batch import Batch
from ae_lightning.draws import Draws
from ae_lightning.losses.adversarial import discriminator_loss, encoder_loss
from ae_lightning.models.autoencoder import Autoencoder
from ae_lightning.models.options import AutoencoderOptions
from ae_lightning.models.phases import Player
from ae_lightning.networks.discriminator import build_discriminator


class AdversarialAE(Autoencoder):
    """Minimise rec(x, g(f(x))) while the encoder fools a discriminator that tells codes from the prior's draws.

    Makhzani et al. 2015. Encoder and decoder have one optimizer, the discriminator another. In each batch the paper
    steps three times: encoder and decoder for the reconstruction, the discriminator, and then the encoder against it.
    Here there are two steps: encoder and decoder for both of their terms, against the discriminator as the batch before
    left it, and then the discriminator, on the codes from before that step. So a batch is encoded once.

    Args:
        adversarial_weight: Weight of the encoder's loss against the discriminator, beside the reconstruction's.
        discriminator_hidden: Widths of the discriminator's hidden layers.
        discriminator_optimizer: Makes the discriminator's optimizer.

    Raises:
        ConfigError: If the weight is negative.
    """

    def __init__(
        self,
        *,
        adversarial_weight: float = 1.0,
        discriminator_hidden: tuple[int, ...] = (256, 256),
        discriminator_optimizer: OptimizerCallable = torch.optim.Adam,
        **options: Unpack[AutoencoderOptions],
    ) -> None:
        super().__init__(**options)
        self.adversarial_weight = require_non_negative("model.adversarial_weight", adversarial_weight)
        self.build_discriminator_optimizer = discriminator_optimizer
        self.discriminator = build_discriminator(prod(self.code_shape), discriminator_hidden)

    def logits(self, latent: Tensor) -> Tensor:
        """Return the discriminator's logits of codes, vectors or maps, being draws of the prior, shape (B, 1)."""
        logits_B1: Tensor = self.discriminator(latent.flatten(1))
        return logits_B1

    def autoencoder_terms(self, batch: Batch, draws: Draws) -> dict[str, Tensor]:
        """Return the reconstruction, and how far the discriminator is from taking the codes for the prior's."""
        z_BL = self.encode(batch.x, batch.labels)
        # The discriminator, whose turn is next, is shown the same codes: they are encoded once.
        self._shown_BL = z_BL.detach()
        fooled = encoder_loss(self.logits(z_BL))
        return {"reconstruction": self.reconstruction_term(batch, z_BL), "encoder": fooled}

    def discriminator_terms(self, batch: Batch, draws: Draws) -> dict[str, Tensor]:
        """Return how badly the discriminator tells the prior's draws from the codes."""
        drawn, shown = self.logits(self.draw_prior(draws, batch.labels)), self.logits(self._shown_BL)
        return {"discriminator": discriminator_loss(drawn, shown)}

    def training_weights(self) -> Mapping[str, float]:
        """Weigh the encoder's loss against the discriminator."""
        return {"encoder": self.adversarial_weight}

    def players(self) -> Sequence[Player]:
        """Return the autoencoder, and then the discriminator."""
        autoencoder = Player("autoencoder", (self.encoder, self.decoder), self.autoencoder_terms)
        own = self.build_discriminator_optimizer
        return autoencoder, Player("discriminator", (self.discriminator,), self.discriminator_terms, own)
