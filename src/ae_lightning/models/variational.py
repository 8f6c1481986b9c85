"""What variational autoencoders share: a Gaussian over codes for each image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from ae_lightning.data.batch import Batch
from ae_lightning.draws import Draws
from ae_lightning.models.autoencoder import Autoencoder
from ae_lightning.training.schedules import Annealing, as_annealing


class VariationalAutoencoder(Autoencoder):
    """An autoencoder whose encoder gives μ and log σ² of q(z | x), and whose objective has a KL term of weight β.

    Args:
        beta: Weight of the KL term: a number, or its annealing (`start`, `end`, `warmup_epochs`).

    Raises:
        ConfigError: If beta is negative.
    """

    outputs_per_latent: ClassVar[int] = 2

    def __init__(self, *, beta: float | Annealing = 1.0, **options: Any) -> None:
        super().__init__(**options)
        self.beta = as_annealing("model.beta", beta)

    def posterior(self, x: Tensor, given: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return μ and log σ² of q(z | x), shape (B, L) each, float32; of a conditional variant, of q(z | x, given)."""
        mean_BL, log_variance_BL = self.encoder_output(x, given).chunk(2, dim=1)
        return mean_BL, log_variance_BL

    def encode(self, x: Tensor, given: Tensor | None = None) -> Tensor:
        """Return the mean codes, shape (B, L), float32."""
        return self.posterior(x, given)[0]

    def draw_posterior(self, mean_BL: Tensor, log_variance_BL: Tensor, draws: Draws) -> Tensor:
        """Return z = μ + σ·ε with ε ~ N(0, I), shape (B, L) (Kingma & Welling 2014, section 2.4)."""
        return mean_BL + (0.5 * log_variance_BL).exp() * draws.normal(*self.code_shape)

    def draw_posterior_codes(self, x: Tensor, draws: Draws, given: Tensor | None = None) -> Tensor:
        """Return a draw from q(z | x) for each sample, shape (B, L)."""
        return self.draw_posterior(*self.posterior(x, given), draws)

    def kl_term(self, mean_BL: Tensor, log_variance_BL: Tensor) -> Tensor:
        """Return the variant's KL to the prior in nats, shape (B,), or () for one of the whole batch.

        Args:
            mean_BL: μ, shape (B, L).
            log_variance_BL: log σ², shape (B, L).
        """
        raise NotImplementedError

    def loss_terms(self, batch: Batch, draws: Draws) -> dict[str, Tensor]:
        """Return the reconstruction from a drawn code, and the KL."""
        mean_BL, log_variance_BL = self.posterior(batch.x, batch.labels)
        z_BL = self.draw_posterior(mean_BL, log_variance_BL, draws)
        return {
            "reconstruction": self.reconstruction_term(batch, z_BL),
            "kl": self.kl_term(mean_BL, log_variance_BL),
        }

    def term_weights(self) -> Mapping[str, float]:
        """Weigh the KL by the final β."""
        return {"kl": self.beta.end}

    def training_weights(self) -> Mapping[str, float]:
        """Weigh the KL by the β of this moment."""
        return {**super().training_weights(), "kl": self.beta.at(self.training_epoch)}
