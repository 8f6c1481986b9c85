"""Phases and players on two ranks that share their batches: what one process does."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import distributed

from ae_lightning.networks import Linear
from ae_lightning.spec import DataSpec
from ae_lightning.testing.ranks import train_in_ranks
from ae_lightning.testing.training import TrainingJob, flatten
from ae_lightning.training.accumulation import gathered_gradients, restore_gradients
from ae_lightning.variants.sample_vae import SampleVAE
from ae_lightning.variants.vanilla import VanillaAE
from phased_models import Begun, Duel

pytestmark = pytest.mark.filterwarnings("ignore:::lightning")

OPTIONS = {"spec": DataSpec((1, 8, 8)), "network": Linear(), "latent_dim": 2}
DESCENT = {"optimizer": partial(torch.optim.SGD, lr=1e-3)}
DATA = {"name": "digits", "batch_size": 256}
# Of an epoch's six batches, two are left over.
SETTINGS = {"accumulate_grad_batches": 4, "gradient_clip_val": 0.5}


class BegunOnRanks(Begun):
    """Its ranks would part by themselves: each adds its own number to where codes are drawn."""

    def set_centre(self, codes):
        all_codes = [None] * self.trainer.world_size
        distributed.all_gather_object(all_codes, codes)
        assert all(torch.equal(codes, others) for others in all_codes)
        super().set_centre(codes)
        self.centre_L.add_(self.trainer.global_rank)

    def drawn_terms(self, batch, draws):
        centres = [None] * self.trainer.world_size
        distributed.all_gather_object(centres, self.centre_L)
        assert torch.equal(centres[0], self.begun[0][0].mean(dim=0))
        assert all(torch.equal(centres[0], other) for other in centres)
        return super().drawn_terms(batch, draws)


class KeepsGradients(VanillaAE):
    """Takes its gradients from what a checkpoint would keep, between two batches of a step."""

    def on_train_batch_end(self, outputs, batch, batch_idx):
        super().on_train_batch_end(outputs, batch, batch_idx)
        kept = gathered_gradients(self.trainer, self)
        assert bool(kept) == (batch_idx in (0, 1, 2, 4))
        if not kept:
            return
        own = flatten(parameter.grad for parameter in self.parameters())
        ranks = [flatten(kept[name][rank] for name, _ in self.named_parameters()) for rank in (0, 1)]
        assert not torch.equal(*ranks)
        self.zero_grad()
        restore_gradients(self.trainer, self, kept)
        assert torch.equal(flatten(parameter.grad for parameter in self.parameters()), own)


def test_ranks_train_as_one():
    duel = TrainingJob(Duel, {**OPTIONS, **DESCENT}, DATA, epochs=2, trainer=SETTINGS)
    keeping = TrainingJob(KeepsGradients, {**OPTIONS, **DESCENT}, DATA, epochs=1, trainer=SETTINGS)
    begun = TrainingJob(BegunOnRanks, {**OPTIONS, **DESCENT}, DATA, epochs=1)
    # Its term in validation is of the moments of a whole split, which comes in batches of unequal shares.
    moments = TrainingJob(SampleVAE, {**OPTIONS, **DESCENT}, {**DATA, "batch_size": 64}, epochs=1)
    jobs = [duel, keeping, moments, begun]
    *found, _ = train_in_ranks(jobs, strategy="ddp_find_unused_parameters_true")
    alone = [duel.run(), TrainingJob(VanillaAE, keeping.options, DATA, epochs=1, trainer=SETTINGS).run(), moments.run()]
    for together, expected in zip(found, alone, strict=True):
        assert len(together.gradients) == len(expected.gradients)
        for one, other in zip(together.gradients, expected.gradients, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(together.weights, expected.weights)
        assert together.validation == pytest.approx(expected.validation, rel=1e-4)
