"""`SparseAE`: few units active at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Unpack

from torch import Tensor

from ae_lightning.checks import require_at_least, require_name, require_non_negative
from ae_lightning.data.batch import Batch
from ae_lightning.draws import Draws
from ae_lightning.errors import ConfigError
from ae_lightning.losses.divergence import bernoulli_kl
from ae_lightning.losses.penalty import keep_largest, l1_activity
from ae_lightning.models.autoencoder import Autoencoder
from ae_lightning.models.options import AutoencoderOptions
from ae_lightning.models.split_terms import MomentTerm, Term

PenaltyName = Literal["kl", "l1", "topk"]


class SparseAE(Autoencoder):
    """Minimise rec(x, g(f(x))) + weight · Σ_j KL(ρ ‖ ρ̂_j), ρ̂_j the mean activation of hidden unit j over the batch.

    Ng (2011; Pourreza 2018; Bagul). The code is a sigmoid; it may be larger than the image.

    Args:
        penalty: `kl`; `l1`, the sum of a code's activations; or `topk`, which keeps only the k largest of a linear code
            (Makhzani & Frey 2014) and adds no term.
        rho: ρ, the wanted mean activation.
        sparsity_weight: Weight of the penalty.
        k: Activations that `topk` keeps.

    Raises:
        ConfigError: If the penalty is unknown, rho not in (0, 1), k below 1 or the weight negative.
    """

    def __init__(
        self,
        *,
        penalty: PenaltyName = "kl",
        rho: float = 0.2,
        sparsity_weight: float = 1.0,
        k: int = 8,
        **options: Unpack[AutoencoderOptions],
    ) -> None:
        super().__init__(**options)
        if not 0 < rho < 1:
            raise ConfigError(f"model.rho: {rho} is not allowed; it must lie between 0 and 1")
        self.penalty: PenaltyName = require_name("model.penalty", penalty, PenaltyName)
        self.rho = rho
        self.sparsity_weight = require_non_negative("model.sparsity_weight", sparsity_weight)
        self.k = require_at_least("model.k", k)

    def encode(self, x: Tensor, given: Tensor | None = None) -> Tensor:
        """Return sparse codes, shape (B, L), float32: sigmoids, or the k largest of a linear code."""
        z_BL = super().encode(x, given)
        return keep_largest(z_BL, self.k) if self.penalty == "topk" else z_BL.sigmoid()

    def loss_terms(self, batch: Batch, draws: Draws) -> Mapping[str, Term]:
        """Return the reconstruction and, but for `topk`, the sparsity penalty."""
        z_BL = self.encode(batch.x, batch.labels)
        terms: dict[str, Term] = {"reconstruction": self.reconstruction_term(batch, z_BL)}
        if self.penalty == "kl":
            terms["sparsity"] = MomentTerm(z_BL.flatten(1), lambda moments: bernoulli_kl(self.rho, moments.mean))
        if self.penalty == "l1":
            terms["sparsity"] = l1_activity(z_BL)
        return terms

    def term_weights(self) -> Mapping[str, float]:
        """Weigh the penalty, if there is one."""
        return {} if self.penalty == "topk" else {"sparsity": self.sparsity_weight}
