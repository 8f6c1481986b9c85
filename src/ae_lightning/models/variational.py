"""What variational autoencoders share: a Gaussian over codes for each image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, Unpack

from torch import Tensor

from ae_lightning.data.batch import Batch
from ae_lightning.draws import Draws
from ae_lightning.errors import ConfigError
from ae_lightning.models.autoencoder import Autoencoder
from ae_lightning.models.options import AutoencoderOptions
from ae_lightning.models.split_terms import Term
from ae_lightning.priors.normal import Normal
from ae_lightning.training.schedules import Annealing, as_annealing

NUM_VALUES_AT_FULL_WEIGHT = 28 * 28
"""Values of a sample from which on `auto` is 1: those of MNIST, where β = 1 is known to leave its code in use."""


def weight_for_size(num_values: int) -> float:
    """Return the β that `auto` stands for: min(1, D / 784) for samples of D values.

    The reconstruction is a sum over a sample's values, the KL a sum over its code: at one β, a sample of few values
    has little to gain from its code, and pays for it as a large one does. Below some size it gives the code up.
    """
    return min(1.0, num_values / NUM_VALUES_AT_FULL_WEIGHT)


class VariationalAutoencoder(Autoencoder):
    """An autoencoder whose encoder gives μ and log σ² of q(z | x), and whose objective has a KL term of weight β.

    Args:
        beta: Weight of the KL term: a number, its annealing (`start`, `end`, `warmup_epochs`), or `auto`, that of
            `weight_for_size`.

    Raises:
        ConfigError: If beta is negative or another word, or there is no KL to the prior.
    """

    outputs_per_latent: ClassVar[int] = 2

    takes_any_prior: ClassVar[bool] = False
    """Whether the KL is to whatever prior has a density, and not to N(0, I) alone."""

    def __init__(
        self, *, beta: float | Annealing | Literal["auto"] = 1.0, **options: Unpack[AutoencoderOptions]
    ) -> None:
        super().__init__(**options)
        self._require_known_kl()
        if beta == "auto":
            beta = self.resolved["beta"] = weight_for_size(self.spec.num_values)
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

    def kl_term(self, mean_BL: Tensor, log_variance_BL: Tensor, z_BL: Tensor, given: Tensor | None) -> Term:
        """Return the variant's KL to the prior in nats, shape (B,), or of the moments of all samples.

        Args:
            mean_BL: μ, shape (B, L).
            log_variance_BL: log σ², shape (B, L).
            z_BL: A draw from each of these Gaussians.
            given: The classes, as `encode` takes them.
        """
        raise NotImplementedError

    def loss_terms(self, batch: Batch, draws: Draws) -> Mapping[str, Term]:
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
