from __future__ import annotations

from itertools import groupby

import pytest
import torch

from ae_lightning.data.datamodule import DataModule
from ae_lightning.errors import ConfigError
from ae_lightning.networks import MLP
from ae_lightning.spec import DataSpec
from ae_lightning.testing.training import batch_of, build_trainer, draws_for, generate_batch
from ae_lightning.variants.double import DoubleAE
from ae_lightning.variants.double_sample_vae import DoubleSampleVAE

pytestmark = pytest.mark.filterwarnings("ignore:::lightning")

SHAPE = (1, 8, 8)
SMALL = {"spec": DataSpec(SHAPE), "network": MLP(hidden=[8]), "latent_dim": 3}


class Recorded(DoubleAE):
    """Keeps the phase, the loss and the terms of every step."""

    def log_training_terms(self, loss, means, batch):
        self.steps = [*getattr(self, "steps", []), (self.phase, loss.item(), {k: v.item() for k, v in means.items()})]
        super().log_training_terms(loss, means, batch)


class RecordedSampleVAE(DoubleSampleVAE, Recorded):
    """The same of the variational one."""


def trained(variant, epochs=2, **options):
    torch.manual_seed(0)
    model = variant(**SMALL, **options)
    build_trainer(epochs).fit(model, DataModule(name="digits"))
    return model


@pytest.fixture(scope="module")
def alternating():
    return trained(Recorded)


def test_two_epochs_have_ten_rounds_of_two_phases_each(alternating):
    phases = [phase for phase, _, _ in alternating.steps]
    sizes = [len(list(group)) for _, group in groupby(phases)]
    assert len(phases) == 22
    assert list(dict.fromkeys(phases)) == list(range(20))
    assert max(sizes) - min(sizes) <= 1


def test_each_step_minimises_its_phases_term_alone(alternating):
    """First from code to image and back, then from image to code and back."""
    for phase, loss, terms in alternating.steps:
        assert terms.keys() == {"latent_cycle" if phase % 2 == 0 else "reconstruction"}
        assert loss == pytest.approx(sum(terms.values()))


def test_the_latent_weight_has_no_say_where_the_cycle_stands_alone():
    one, other = (trained(Recorded, latent_weight=weight) for weight in (1.0, 5.0))
    assert one.steps == other.steps


def test_a_variational_one_alternates_with_both_of_its_other_terms():
    for phase, loss, terms in trained(RecordedSampleVAE, beta=0.5).steps:
        if phase % 2 == 0:
            assert terms.keys() == {"latent_cycle"}
        else:
            assert loss == pytest.approx(terms["reconstruction"] + 0.5 * terms["kl"])


@pytest.mark.parametrize("variant", [Recorded, RecordedSampleVAE])
def test_joint_minimises_all_terms_in_every_step(variant):
    for phase, loss, terms in trained(variant, epochs=1, schedule="joint", latent_weight=0.3).steps:
        assert phase == 0
        assert loss == pytest.approx(terms["reconstruction"] + terms.get("kl", 0) + 0.3 * terms["latent_cycle"])


def test_the_cycle_is_the_distance_of_prior_codes_to_their_images_codes():
    model = DoubleAE(**SMALL)
    x_BCHW = generate_batch(SHAPE, 5)
    z_BL = draws_for(model, x_BCHW).normal(3)
    found = model.cycle_term(batch_of(x_BCHW), draws_for(model, x_BCHW))["latent_cycle"]
    expected = (z_BL - model.encode(model.decode(z_BL))).norm(dim=1).square()
    torch.testing.assert_close(found, expected)


def test_the_cycle_trains_encoder_and_decoder():
    model = DoubleAE(**SMALL)
    x_BCHW = generate_batch(SHAPE, 5)
    model.cycle_term(batch_of(x_BCHW), draws_for(model, x_BCHW))["latent_cycle"].sum().backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in model.parameters())


@pytest.mark.parametrize("schedule", ["alternating", "joint"])
def test_validation_reports_all_terms_whatever_the_phase(schedule):
    model = DoubleAE(**SMALL, schedule=schedule, latent_weight=2.0)
    (logged,) = build_trainer(validate=True).validate(model, DataModule(name="digits"), verbose=False)
    assert logged["val/loss"] == pytest.approx(logged["val/reconstruction"] + 2 * logged["val/latent_cycle"], rel=1e-5)


def test_a_training_of_fewer_batches_than_phases_still_learns_the_images():
    """One epoch of 11 batches: the reconstruction is among the terms, and the last phase is reached."""
    model = trained(Recorded, epochs=1)
    assert model.in_last_phase
    assert any("reconstruction" in terms for _, _, terms in model.steps)


@pytest.mark.parametrize("variant", [DoubleAE, DoubleSampleVAE])
def test_a_negative_weight_is_refused(variant):
    with pytest.raises(ConfigError, match=r"^model\.latent_weight: -1"):
        variant(**SMALL, latent_weight=-1.0)


def test_a_training_without_an_end_is_refused():
    with pytest.raises(ConfigError, match=r"^trainer\.max_epochs: -1 sets no end"):
        trained(DoubleAE, epochs=-1)
