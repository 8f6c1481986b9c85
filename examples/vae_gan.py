"""A VAE-GAN: a discriminator of images is the decoder's opponent, and what it sees is what a reconstruction must match.

    python -m ae_lightning fit --model vae_gan.VAEGAN --model.beta 0.1

with this file's folder on PYTHONPATH.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from lightning.pytorch.cli import OptimizerCallable
from torch import Tensor
from torch.nn.functional import softplus

from ae_lightning.checks import require_non_negative
from ae_lightning.data.batch import Batch
from ae_lightning.draws import Draws
from ae_lightning.losses.full_precision import full_precision
from ae_lightning.models.phases import Player
from ae_lightning.networks import Conv
from ae_lightning.variants.vae import VAE


class VAEGAN(VAE):
    """Minimise rec + β·KL + ‖D_l(x) − D_l(x̃)‖² − log D(x̃) − log D(g(p)), while D learns to tell x from x̃ and g(p).

    Larsen et al. 2016, equations 7 to 9: x̃ is the reconstruction, p a draw of the prior and D_l the discriminator's
    features. Encoder and decoder minimise one sum here, which keeps the pixels' error, and validation reports that of
    the VAE.

    Args:
        feature_weight: Weight of the error between the discriminator's features.
        adversarial_weight: Weight of the losses against the discriminator.
        discriminator_filters: Channels of the discriminator's convolutions.
        discriminator_optimizer: Makes the discriminator's optimizer.

    Raises:
        ConfigError: If a weight is negative, a number of channels below 1, or the samples are no images.
    """

    def __init__(
        self,
        *,
        feature_weight: float = 0.1,
        adversarial_weight: float = 0.1,
        discriminator_filters: tuple[int, ...] = (16, 32),
        discriminator_optimizer: OptimizerCallable = torch.optim.Adam,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.feature_weight = require_non_negative("model.feature_weight", feature_weight)
        self.adversarial_weight = require_non_negative("model.adversarial_weight", adversarial_weight)
        self.build_discriminator_optimizer = discriminator_optimizer
        network = Conv(filters=discriminator_filters, kernel_size=3, activation="leaky_relu")
        self.discriminator = network.build_encoder(self.spec, 1)

    def judged(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the discriminator's features of images, shape (B, F), and its logits, shape (B,)."""
        hidden = self.discriminator[:-1](x)
        return full_precision(hidden).flatten(1), full_precision(self.discriminator[-1](hidden)).squeeze(1)

    def vae_terms(self, batch: Batch, draws: Draws) -> dict[str, Tensor]:
        """Return the terms of the VAE, and how far its images are from those of the data to the discriminator."""
        mean_BL, log_variance_BL = self.posterior(batch.x, batch.labels)
        z_BL = self.draw_posterior(mean_BL, log_variance_BL, draws)
        output = self.decoder_output(z_BL, batch.labels)
        reconstructed = self.reconstruction.activate(output)
        drawn = self.decode(self.draw_prior(draws), batch.labels)
        # The discriminator, whose turn is next, is shown the same images: they are decoded once.
        self._shown = reconstructed.detach(), drawn.detach()
        features, logits = self.judged(reconstructed)
        return {
            "reconstruction": self.reconstruction.loss(batch.x, output),
            "kl": self.kl_term(mean_BL, log_variance_BL, z_BL, batch.labels),
            "features": (self.judged(batch.x)[0].detach() - features).square().sum(dim=1),
            "generator": softplus(-logits) + softplus(-self.judged(drawn)[1]),
        }

    def discriminator_terms(self, batch: Batch, draws: Draws) -> dict[str, Tensor]:
        """Return how badly the discriminator tells images of the data from those of the VAE."""
        real, (reconstructed, drawn) = self.judged(batch.x)[1], (self.judged(shown)[1] for shown in self._shown)
        return {"discriminator": softplus(-real) + softplus(reconstructed) + softplus(drawn)}

    def training_weights(self) -> Mapping[str, float]:
        """Weigh what the discriminator has a say in."""
        own = {"features": self.feature_weight, "generator": self.adversarial_weight}
        return {**super().training_weights(), **own}

    def players(self) -> Sequence[Player]:
        """Return the VAE, and then the discriminator."""
        vae = Player("vae", (self.encoder, self.decoder), self.vae_terms)
        own = self.build_discriminator_optimizer
        return vae, Player("discriminator", (self.discriminator,), self.discriminator_terms, own)
