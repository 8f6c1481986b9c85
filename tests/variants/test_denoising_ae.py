from __future__ import annotations

import lightning.pytorch as pl
import pytest
import torch

from ae_lightning.data.corruption import gaussian, masking, salt_and_pepper
from ae_lightning.data.datamodule import DataModule
from ae_lightning.draws import Draws
from ae_lightning.errors import ConfigError
from ae_lightning.losses.reconstruction import mse
from ae_lightning.networks import MLP
from ae_lightning.spec import DataSpec
from ae_lightning.testing.training import batch_of, build_trainer, draws_for, generate_batch, validation_terms
from ae_lightning.variants.denoising import DenoisingAE
from ae_lightning.variants.vanilla import VanillaAE

pytestmark = pytest.mark.filterwarnings("ignore:::lightning")

SHAPE = (1, 8, 8)
SMALL = {"spec": DataSpec(SHAPE), "network": MLP(hidden=[8]), "latent_dim": 3}
CORRUPTIONS = ("gaussian", "masking", "salt_and_pepper")


def build(variant=DenoisingAE, **options):
    torch.manual_seed(0)
    return variant(**SMALL, **options)


def corrupted_by_hand(model, x_BCHW):
    draws = draws_for(model, x_BCHW)
    if model.corruption == "gaussian":
        return gaussian(x_BCHW, draws.normal(*SHAPE), model.std)
    function = {"masking": masking, "salt_and_pepper": salt_and_pepper}[model.corruption]
    return function(x_BCHW, draws.uniform(*SHAPE), model.p)


@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_training_gives_back_the_clean_image_from_the_corrupted_one(corruption):
    model = build(corruption=corruption)
    x_BCHW = generate_batch(SHAPE, 6)
    noisy_BCHW = corrupted_by_hand(model, x_BCHW)
    found = model.loss_terms(batch_of(x_BCHW), draws_for(model, x_BCHW))
    assert found.keys() == {"reconstruction"}
    torch.testing.assert_close(found["reconstruction"], mse(x_BCHW, model.reconstruct(noisy_BCHW)))
    for other in (mse(noisy_BCHW, model.reconstruct(noisy_BCHW)), mse(x_BCHW, model.reconstruct(x_BCHW))):
        assert not torch.allclose(found["reconstruction"], other)


def test_every_batch_is_corrupted_anew():
    model = build()
    x_BCHW = generate_batch(SHAPE, 6)
    one, other = (model.corrupt(x_BCHW, draws_for(model, x_BCHW, stream)) for stream in ("first", "second"))
    assert not torch.equal(one, other)


@pytest.fixture(scope="module")
def data():
    return DataModule(name="digits")


class Batches(pl.Callback):
    """Keeps what is validated on."""

    def __init__(self):
        self.kept = []

    def on_validation_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.kept.append(batch)


@torch.no_grad()
def test_validation_is_of_the_clean_images_from_corrupted_ones(data):
    """By hand, with the noise of the batch's place in the split."""
    model, batches = build(std=0.5), Batches()
    (logged,) = build_trainer(validate=True, callbacks=[batches]).validate(model, data, verbose=False)
    errors = []
    for number, batch in enumerate(batches.kept):
        size = len(batch.x)
        draws = Draws(model.seed, "val", (number,), offset=0, num_images=size, global_size=size, device=batch.x.device)
        noisy_BCHW = (batch.x + 0.5 * draws.normal(*SHAPE)).clamp(0, 1)
        errors.append(mse(batch.x, model.reconstruct(noisy_BCHW)))
    assert logged["val/loss"] == pytest.approx(torch.cat(errors).mean().item(), rel=1e-5)
    assert validation_terms(model, data) == logged


@torch.no_grad()
def test_where_all_is_masked_images_are_given_back_from_black(data):
    model, x_BCHW = build(corruption="masking", p=1.0), data.scale(data.split("val").x)
    expected = mse(x_BCHW, model.reconstruct(torch.zeros(1, *SHAPE))).mean().item()
    assert validation_terms(model, data)["val/loss"] == pytest.approx(expected, rel=1e-5)
    assert mse(x_BCHW, model.reconstruct(x_BCHW)).mean().item() != pytest.approx(expected, rel=1e-3)


def test_a_level_of_zero_validates_as_the_variant_without_corruption(data):
    assert validation_terms(build(std=0.0), data) == validation_terms(build(VanillaAE), data)


def test_a_level_of_zero_trains_as_the_variant_without_corruption():
    weights = []
    for model in (build(std=0.0), build(VanillaAE)):
        build_trainer(1).fit(model, DataModule(name="digits"))
        weights.append(list(model.parameters()))
    assert all(torch.equal(a, b) for a, b in zip(*weights, strict=True))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"std": -0.1}, r"^model\.std: -0\.1 .*not be negative"),
        ({"p": 1.1}, r"^model\.p: 1\.1 .*from 0 to 1"),
        ({"p": -0.1}, r"^model\.p: -0\.1 .*from 0 to 1"),
    ],
)
def test_what_is_out_of_range_is_refused_by_its_key(options, message):
    with pytest.raises(ConfigError, match=message):
        build(**options)


@pytest.mark.parametrize("corruption", ["gaussian", "masking"])
def test_vectors_without_bounds_are_corrupted_unclipped(corruption):
    spec = DataSpec((40,), "vector", None)
    model = DenoisingAE(spec=spec, network=MLP(hidden=[8]), latent_dim=3, corruption=corruption, std=0.5, p=0.3)
    x = 10 * generate_batch(spec, 200)
    corrupted = model.corrupt(x, draws_for(model, x))
    if corruption == "gaussian":
        assert (corrupted - x).std() == pytest.approx(0.5, rel=0.05)
    else:
        assert (corrupted == 0).float().mean() == pytest.approx(0.3, abs=0.02)
        assert torch.equal(corrupted[corrupted != 0], x[corrupted != 0])


def test_what_needs_bounds_is_refused_without_them():
    with pytest.raises(ConfigError, match=r"^model\.corruption: salt_and_pepper sets values to the ends"):
        DenoisingAE(spec=DataSpec((40,), "vector", None), network=MLP(hidden=[8]), corruption="salt_and_pepper")
