"""What variational autoencoders share: a Gaussian over codes for each image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from ae_lightning.data.batch import Batch
from ae_lightning.draws import Draws
from ae_lightning.errors import ConfigError
from ae_lightning.models.autoencoder import Autoencoder
from ae_lightning.priors.normal import Normal
from ae_lightning.training.schedules import Annealing, as_annealing


class VariationalAutoencoder(Autoencoder):
    """An autoencoder whose encoder gives μ and log σ² of q(z | x), and whose objective has a KL term of weight β.

    Args:
        beta: Weight of the KL term: a number, or its annealing (`start`, `end`, `warmup_epochs`).

    Raises:
        ConfigError: If beta is negative, or there is no KL to the prior.
    """

    outputs_per_latent: ClassVar[int] = 2

    takes_any_prior: ClassVar[bool] = False
    """Whether the KL is to whatever prior has a density, and not to N(0, I) alone."""

    def __init__(self, *, beta: float | Annealing = 1.0, **options: Any) -> None:
        super().__init__(**options)
        self._require_known_kl()
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

    @property
    def has_standard_prior(self) -> bool:
        """Whether the prior is N(0, I)."""
        return type(self.prior) is Normal

    def _require_known_kl(self) -> None:
        if self.has_standard_prior or (self.takes_any_prior and self.prior.has_density):
            return
        name, prior = type(self).__name__, type(self.prior).__name__
        if self.takes_any_prior:
            raise ConfigError(f"model.prior: {name} needs the density of its prior, and {prior} has no `log_prob`")
        raise ConfigError(f"model.prior: {prior} is not allowed; the KL of {name} is that to Normal")

    def kl_term(self, mean_BL: Tensor, log_variance_BL: Tensor, z_BL: Tensor, given: Tensor | None) -> Tensor:
        """Return the variant's KL to the prior in nats, shape (B,), or () for one of the whole batch.

        Args:
            mean_BL: μ, shape (B, L).
            log_variance_BL: log σ², shape (B, L).
            z_BL: A draw from each of these Gaussians.
            given: The classes, as `encode` takes them.
        """
        raise NotImplementedError

    def loss_terms(self, batch: Batch, draws: Draws) -> dict[str, Tensor]:
        """Return the reconstruction from a drawn code, and the KL."""
        mean_BL, log_variance_BL = self.posterior(batch.x, batch.labels)
        z_BL = self.draw_posterior(mean_BL, log_variance_BL, draws)
        return {
            "reconstruction": self.reconstruction_term(batch, z_BL),
            "kl": self.kl_term(mean_BL, log_variance_BL, z_BL, batch.labels),
        }

    def term_weights(self) -> Mapping[str, float]:
        """Weigh the KL by the final β."""
        return {"kl": self.beta.end}

    def training_weights(self) -> Mapping[str, float]:
        """Weigh the KL by the β of this moment."""
        return {**super().training_weights(), "kl": self.beta.at(self.training_epoch)}
