"""What an autoencoder is made of, what it gives, and the objective it trains by."""

from __future__ import annotations

from functools import partial

import lightning.pytorch as pl
import pytest
import torch

from ae_lightning.errors import ConfigError
from ae_lightning.models.autoencoder import Autoencoder
from ae_lightning.networks import Conv
from ae_lightning.spec import DataSpec
from ae_lightning.testing.training import (
    batch_of,
    build_trainer,
    draws_for,
    generate_batch,
)
from ae_lightning.variants.vae import VAE
from ae_lightning.variants.vanilla import VanillaAE
from small_trainings import SHAPE, SMALL, small_data, whole_split

pytestmark = pytest.mark.filterwarnings("ignore:::lightning")


class TwoTerms(Autoencoder):
    """One term an image, one of the whole batch, each weighed."""

    def loss_terms(self, batch, draws):
        z_BL = self.encode(batch.x)
        return {"reconstruction": self.reconstruction_term(batch, z_BL), "size": z_BL.square().mean()}

    def term_weights(self):
        return {"size": 3.0}


# Construction.


@pytest.mark.parametrize("latent_dim", [0, -3])
def test_a_code_without_a_dimension_is_refused(latent_dim):
    with pytest.raises(ConfigError, match=rf"^model\.latent_dim: {latent_dim} is not allowed; it must be at least 1"):
        VanillaAE(spec=DataSpec(SHAPE), latent_dim=latent_dim)


def test_a_negative_beta_is_refused():
    with pytest.raises(ConfigError, match=r"^model\.beta: -1"):
        VAE(spec=DataSpec(SHAPE), beta=-1.0)


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"network": Conv(kernel_size=9)}, "network.kernel_size"),
        ({"reconstruction": "mes"}, "reconstruction"),
        ({"reconstruction": "bce", "output_activation": "identity"}, "output_activation"),
    ],
)
def test_what_cannot_be_built_is_refused_by_its_key(options, key):
    with pytest.raises(ConfigError, match=rf"^model\.{key}: "):
        VanillaAE(spec=DataSpec(SHAPE), **options)


def test_an_unknown_argument_is_refused():
    with pytest.raises(TypeError, match="latentdim"):
        VanillaAE(spec=DataSpec(SHAPE), latentdim=3)


def test_weights_are_channels_last():
    model = VanillaAE(spec=DataSpec((3, 8, 8)))
    weights = [parameter for parameter in model.parameters() if parameter.dim() == 4]
    assert weights
    assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in weights)


def test_a_variant_that_says_nothing_reconstructs():
    model = Autoencoder(**SMALL)
    x_BCHW = generate_batch(SHAPE, 2)
    total, terms = model.objective(batch_of(x_BCHW), draws_for(model, x_BCHW))
    expected = (x_BCHW - model.reconstruct(x_BCHW)).square().sum() / 2
    assert set(terms) == {"reconstruction"}
    torch.testing.assert_close(total, expected)


def test_the_recipe_is_shared_and_its_weights_are_not():
    network = Conv(filters=[4])
    one, other = (VanillaAE(spec=DataSpec(SHAPE), network=network) for _ in range(2))
    assert {id(parameter) for parameter in one.parameters()}.isdisjoint(map(id, other.parameters()))


# What comes out.


def test_reconstruct_decodes_the_mean_code():
    model = VAE(**SMALL).eval()
    x_BCHW = generate_batch(SHAPE, 4)
    mean_BL, _ = model.posterior(x_BCHW)
    assert torch.equal(model.encode(x_BCHW), mean_BL)
    assert torch.equal(model.reconstruct(x_BCHW), model.decode(mean_BL))


def test_softmax_reconstructions_have_the_brightness_of_their_images():
    model = VanillaAE(**SMALL, reconstruction="softmax").eval()
    x_BCHW = generate_batch(SHAPE, 4)
    sums = model.reconstruct(x_BCHW).sum(dim=(1, 2, 3))
    torch.testing.assert_close(sums, x_BCHW.sum(dim=(1, 2, 3)))
    assert model.decode(model.encode(x_BCHW)).amax(dim=(1, 2, 3)).tolist() == pytest.approx([1] * 4)


def test_samples_are_decoded_draws_of_the_prior():
    model = VanillaAE(**SMALL).eval()
    codes = model.sample_codes(5000, seed=1)
    assert codes.shape == (5000, 3)
    assert codes.mean(dim=0).abs().max() < 0.06
    assert (codes.var(dim=0) - 1).abs().max() < 0.08
    assert torch.equal(model.sample(5000, seed=1), model.decode(codes))
    assert not model.sample(2).requires_grad


def test_sampling_leaves_the_global_generator_alone():
    model = VanillaAE(**SMALL)
    before = torch.get_rng_state()
    model.sample(3)
    assert torch.equal(torch.get_rng_state(), before)


def test_outputs_are_float32_under_autocast():
    model = VAE(**SMALL).eval()
    x_BCHW = generate_batch(SHAPE, 2)
    with torch.autocast("cpu", torch.bfloat16):
        outputs = (model.encode(x_BCHW), model.reconstruct(x_BCHW), model.sample(2))
        terms = model.loss_terms(batch_of(x_BCHW), draws_for(model, x_BCHW))
    assert {output.dtype for output in (*outputs, *terms.values())} == {torch.float32}


def test_predictions_carry_their_positions(tmp_path):
    data = small_data(tmp_path)
    model = VanillaAE(**SMALL)
    predictions = build_trainer().predict(model, data)
    images = whole_split(data, "test")
    assert torch.cat([prediction.indices for prediction in predictions]).tolist() == list(range(len(images)))
    torch.testing.assert_close(torch.cat([part.codes for part in predictions]), model.encode(images))
    torch.testing.assert_close(torch.cat([part.reconstructions for part in predictions]), model.reconstruct(images))


# The objective.


def test_terms_are_weighed_once_and_kept_unweighed():
    model = TwoTerms(**SMALL)
    x_BCHW = generate_batch(SHAPE, 4)
    total, means = model.objective(batch_of(x_BCHW), draws_for(model, x_BCHW))
    squares = (x_BCHW - model.reconstruct(x_BCHW)).square().sum(dim=(1, 2, 3)).mean()
    size = model.encode(x_BCHW).square().mean()
    torch.testing.assert_close(means, {"reconstruction": squares, "size": size})
    torch.testing.assert_close(total, squares + 3 * size)


def test_the_kl_is_logged_without_its_weight():
    x_BCHW = generate_batch(SHAPE, 4)
    found = []
    for beta in (0.0, 1.0, 8.0):
        torch.manual_seed(0)
        model = VAE(**SMALL, beta=beta)
        total, means = model.objective(batch_of(x_BCHW), draws_for(model, x_BCHW))
        torch.testing.assert_close(total, means["reconstruction"] + beta * means["kl"])
        found.append(means["kl"].item())
    assert found[0] > 0
    assert found == [found[0]] * 3


class ValidationLosses(pl.Callback):
    """The `val/loss` of every epoch."""

    def __init__(self):
        self.losses = []

    def on_validation_end(self, trainer, pl_module):
        self.losses.append(trainer.callback_metrics["val/loss"].item())


def test_validation_draws_the_same_noise_in_every_epoch_of_a_training(tmp_path):
    """Else a curve over epochs would move by chance."""
    model, seen = VAE(**SMALL, optimizer=partial(torch.optim.SGD, lr=0.0)), ValidationLosses()
    build_trainer(3, validate=True, callbacks=[seen]).fit(model, small_data(tmp_path))
    assert len(seen.losses) == 3
    assert len(set(seen.losses)) == 1
