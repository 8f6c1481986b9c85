"""`AdversarialAE`: codes that a discriminator cannot tell from the prior."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from lightning.pytorch.cli import OptimizerCallable
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor

from ae_lightning.checks import require_non_negative
from ae_lightning.data.batch import Batch
from ae_lightning.losses.adversarial import discriminator_loss, encoder_loss
from ae_lightning.models.autoencoder import Autoencoder
from ae_lightning.models.trained_module import weighted_sum
from ae_lightning.networks.discriminator import build_discriminator


class AdversarialAE(Autoencoder):
    """Minimise rec(x, g(f(x))) while the encoder fools a discriminator that tells codes from the prior's draws.

    Makhzani et al. 2015. Encoder and decoder have one optimizer, the discriminator another.

    Args:
        adversarial_weight: Weight of the encoder's loss against the discriminator, beside the reconstruction's.
        discriminator_hidden: Widths of the discriminator's hidden layers.
        discriminator_optimizer: Makes the discriminator's optimizer.

    Raises:
        ConfigError: If the weight is negative.
    """

    leaves_parameters_out: ClassVar[bool] = True

    def __init__(
        self,
        *,
        adversarial_weight: float = 1.0,
        discriminator_hidden: tuple[int, ...] = (256, 256),
        discriminator_optimizer: OptimizerCallable = torch.optim.Adam,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.automatic_optimization = False
        self.adversarial_weight = require_non_negative("model.adversarial_weight", adversarial_weight)
        self.build_discriminator_optimizer = discriminator_optimizer
        self.discriminator = build_discriminator(self.latent_dim, discriminator_hidden)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Step the autoencoder against the discriminator, then the discriminator against the codes."""
        draws = self.begin_training_step(batch, batch_idx)
        z_BL = self.encode(batch.x, batch.labels)
        reconstruction, fooled = self.reconstruction_term(batch, z_BL), encoder_loss(self.discriminator(z_BL))
        terms = {"reconstruction": reconstruction, "encoder": fooled}
        loss, means = weighted_sum(terms, {"encoder": self.adversarial_weight})
        self.manual_step(0, loss * self.share_of_global_batch(batch))

        prior_BL = self.draw_prior(draws, batch.labels)
        discriminator = discriminator_loss(self.discriminator(prior_BL), self.discriminator(z_BL.detach())).mean()
        self.manual_step(1, discriminator * self.share_of_global_batch(batch))
        self.log_training_terms(loss, {**means, "discriminator": discriminator}, batch)
        return loss.detach()

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Build one optimizer for encoder and decoder, one for the discriminator."""
        return [
            self.optimizer_of("optimizer", self.build_optimizer, self.encoder, self.decoder),
            self.optimizer_of("discriminator_optimizer", self.build_discriminator_optimizer, self.discriminator),
        ]
