"""Learning rates that follow what each rank has measured of its own images."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from lightning.pytorch.cli import ReduceLROnPlateau
from torch import distributed

from ae_lightning.networks import Linear
from ae_lightning.spec import DataSpec
from ae_lightning.testing.ranks import train_in_ranks
from ae_lightning.testing.training import TrainingJob
from ae_lightning.variants.vanilla import VanillaAE

# Nothing is learned, so that the loss goes up and down with the images that a rank is dealt.
OPTIONS = {
    "spec": DataSpec((1, 8, 8)),
    "network": Linear(),
    "latent_dim": 2,
    "optimizer": partial(torch.optim.SGD, lr=1e-9),
    "scheduler": partial(ReduceLROnPlateau, monitor="train/loss", factor=0.5, patience=0, eps=0.0),
}


class AgreedRates(VanillaAE):
    """Fails where the ranks part."""

    def on_train_end(self):
        rates = [0.0] * self.trainer.world_size
        distributed.all_gather_object(rates, self.trainer.optimizers[0].param_groups[0]["lr"])
        assert len(set(rates)) == 1, f"the ranks train at {rates}"
        assert rates[0] < 1e-9, "nothing was ever reduced"


@pytest.mark.slow
def test_ranks_train_at_one_rate():
    data = {"name": "digits", "batch_size": 64}
    (left,) = train_in_ranks([TrainingJob(AgreedRates, OPTIONS, data, epochs=8)])
    assert left.weights.isfinite().all()
