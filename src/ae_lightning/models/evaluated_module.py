"""What is validated and tested on the objective of a whole split."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

import lightning.pytorch as pl
from torch import Tensor

from ae_lightning.data.batch import Batch
from ae_lightning.draws import Draws
from ae_lightning.models.phases import weighted_sum
from ae_lightning.models.split_terms import SplitTerms, Term


class EvaluatedModule(pl.LightningModule):
    """What has an objective, the weighted sum of terms, and logs it of the validation and of the test split.

    Args:
        seed: Fixes every random draw of training and validation.
    """

    def __init__(self, *, seed: int) -> None:
        super().__init__()
        self.seed = seed
        self._split_terms = SplitTerms()

    @abstractmethod
    def loss_terms(self, batch: Batch, draws: Draws) -> Mapping[str, Term]:
        """Return the terms of the objective by name, unweighted.

        Args:
            batch: Clean samples, as scaled; with labels if the model says that it needs them.
            draws: The random numbers of this batch.

        Returns:
            Terms of shape (B,), one value a sample; of shape () for one of the whole batch; or a `MomentTerm`.
        """

    def term_weights(self) -> Mapping[str, float]:
        """Return the weights of the objective's terms by name; a term that is not named has weight 1."""
        return {}

    def objective(self, batch: Batch, draws: Draws) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the final objective of a batch, and the average of each of its terms.

        Args:
            batch: As `loss_terms` takes it.
            draws: The random numbers of this batch.
        """
        return weighted_sum(self.loss_terms(batch, draws), self.term_weights())

    def on_validation_epoch_start(self) -> None:
        """Begin a split."""
        self._split_terms = SplitTerms()

    def on_test_epoch_start(self) -> None:
        """Begin a split."""
        self._split_terms = SplitTerms()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Take in the terms of a batch, with draws that are the same every time."""
        self._take_in("val", batch, batch_idx)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Take in the terms of a batch, with draws that are the same every time."""
        self._take_in("test", batch, batch_idx)

    def on_validation_epoch_end(self) -> None:
        """Log the objective of the validation split and its terms."""
        self._log_split("val")

    def on_test_epoch_end(self) -> None:
        """Log the objective of the test split and its terms."""
        self._log_split("test")

    def _take_in(self, stage: str, batch: Batch, batch_idx: int) -> None:
        self._split_terms.add(self.loss_terms(batch, self._draws(stage, batch, batch_idx)), len(batch.x))

    def _log_split(self, stage: str) -> None:
        terms = self._split_terms.of_split()
        self._split_terms = SplitTerms()
        loss, means = weighted_sum(terms, self.term_weights())
        values = {f"{stage}/{name}": value.item() for name, value in {"loss": loss, **means}.items()}
        # All ranks have the same values, but Lightning warns where it is not told to average them.
        self.log_dict(values, sync_dist=True)

    def _draws(self, stream: str, batch: Batch, *key: int) -> Draws:
        return Draws(
            self.seed,
            stream,
            key,
            offset=batch.offset,
            num_images=len(batch.x),
            global_size=batch.global_size,
            device=batch.x.device,
        )
