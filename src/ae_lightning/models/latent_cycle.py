"""What double autoencoders share: codes drawn from the prior survive the round trip through image space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from torch import Tensor

from ae_lightning.checks import require_name, require_non_negative
from ae_lightning.data.batch import Batch
from ae_lightning.draws import Draws
from ae_lightning.losses.penalty import latent_cycle
from ae_lightning.models.autoencoder import Autoencoder
from ae_lightning.models.options import AutoencoderOptions
from ae_lightning.models.phases import Phase
from ae_lightning.models.split_terms import Term

Schedule = Literal["alternating", "joint"]
NUM_ROUNDS = 10


class LatentCycleOptions(AutoencoderOptions, total=False):
    """The options of `LatentCycle` beside an `Autoencoder`."""

    schedule: Schedule
    latent_weight: float


class LatentCycle(Autoencoder):
    """Adds the latent cycle ‖z − f(g(z))‖², z drawn from the prior, to the terms of the base beside it (Eftimiades).

    Args:
        schedule: `alternating`: 10 rounds, each an equal share of the training, first the latent cycle alone, then the
            variant's other terms alone. `joint`: all in every step.
        latent_weight: Weight of the latent cycle in `joint`, and in the objective that validation reports.

    Raises:
        ConfigError: If the schedule is unknown or latent_weight negative.
    """

    # Those of whichever base stands beside it: the variants say which.
    def __init__(self, *, schedule: Schedule = "alternating", latent_weight: float = 1.0, **options: Any) -> None:
        super().__init__(**options)
        self.schedule: Schedule = require_name("model.schedule", schedule, Schedule)
        self.latent_weight = require_non_negative("model.latent_weight", latent_weight)

    def cycle_term(self, batch: Batch, draws: Draws) -> dict[str, Tensor]:
        """Return ‖z − f(g(z))‖² for a code drawn for each sample of the batch."""
        z_BL = self.draw_prior(draws, batch.labels)
        drawn = self.decode(z_BL, batch.labels)
        return {"latent_cycle": latent_cycle(z_BL, self.encode(drawn, batch.labels))}

    def loss_terms(self, batch: Batch, draws: Draws) -> Mapping[str, Term]:
        """Return the variant's own terms and the latent cycle."""
        return {**super().loss_terms(batch, draws), **self.cycle_term(batch, draws)}

    def phases(self) -> Sequence[Phase]:
        """Return the two halves of each round when alternating, each with terms of its own."""
        if self.schedule == "joint":
            return super().phases()
        # In its phase the latent cycle stands alone, and needs no weight.
        halves = Phase("latent cycle", terms=self.cycle_term, weights={}), Phase("images", terms=super().loss_terms)
        return halves * NUM_ROUNDS

    def term_weights(self) -> Mapping[str, float]:
        """Weigh the latent cycle as well."""
        return {**super().term_weights(), "latent_cycle": self.latent_weight}
