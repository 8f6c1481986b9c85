"""What their authors promise of the variants, on real images that no training saw; a short training each."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from ae_lightning.losses.penalty import exact_jacobian_norm
from ae_lightning.networks import MLP, Linear
from ae_lightning.priors.mixture import Mixture
from ae_lightning.priors.normal import Normal
from ae_lightning.priors.swiss_roll import SwissRoll
from ae_lightning.testing.training import draws_for
from ae_lightning.variants.adversarial import AdversarialAE
from ae_lightning.variants.contractive import ContractiveAE
from ae_lightning.variants.denoising import DenoisingAE
from ae_lightning.variants.double import DoubleAE
from ae_lightning.variants.sample_vae import SampleVAE
from ae_lightning.variants.sparse import SparseAE
from ae_lightning.variants.vae import VAE
from ae_lightning.variants.vanilla import VanillaAE

pytestmark = pytest.mark.filterwarnings("ignore:::lightning")

SMALL = {"network": MLP(hidden=[64]), "latent_dim": 8, "learning_rate": 3e-3}
"""For digits."""


def judged(data, num_images=None):
    """Images of the test split."""
    return data.scale(data.split("test").x[:num_images])


def pixel_error(x_BCHW, y_BCHW):
    return (x_BCHW - y_BCHW).square().mean().item()


def psnr(x_BCHW, y_BCHW):
    """In dB, the mean over images."""
    errors = (x_BCHW - y_BCHW).square().flatten(1).mean(dim=1)
    return (-10 * errors.log10()).mean().item()


# DenoisingAE.


@pytest.mark.slow
@pytest.mark.parametrize("corruption", ["gaussian", "masking", "salt_and_pepper"])
def test_denoising_raises_the_psnr_of_noisy_images(mnist, train, corruption):
    options = {"network": MLP(hidden=[256]), "latent_dim": 64, "learning_rate": 2e-3}
    model = train(DenoisingAE, mnist, 1, corruption=corruption, **options)
    clean = judged(mnist, 1000)
    noisy = model.corrupt(clean, draws_for(model, clean))
    gain = psnr(clean, model.reconstruct(noisy)) - psnr(clean, noisy)
    assert gain > 1


# SparseAE.


@pytest.fixture(scope="module")
def overcomplete(digits, train):
    """Twice as many units as pixels, one linear map each way: what could copy the image if nothing hindered it."""
    return train(SparseAE, digits, 80, latent_dim=128, network=Linear(), learning_rate=3e-3)


def test_sparse_codes_reach_the_wanted_activation(overcomplete, digits):
    """Every unit, over the images that it was asked of; all units together over others."""
    trained, unseen = (overcomplete.encode(digits.scale(digits.split(name).x)) for name in ("train", "test"))
    assert (trained.mean(dim=0) - overcomplete.rho).abs().max() < 0.02
    assert unseen.mean().item() == pytest.approx(overcomplete.rho, abs=0.02)


def test_an_overcomplete_sparse_code_is_not_the_identity(overcomplete, digits):
    """It tells digits from noise, which the identity gives back alike: worse than noise's mean would."""
    x_BCHW = judged(digits)
    assert pixel_error(x_BCHW, overcomplete.reconstruct(x_BCHW)) < 0.2 * x_BCHW.var(dim=0).mean()
    noise_BCHW = torch.rand(x_BCHW.shape, generator=torch.Generator().manual_seed(0))
    assert pixel_error(noise_BCHW, overcomplete.reconstruct(noise_BCHW)) > noise_BCHW.var()


# ContractiveAE.


def test_contraction_lowers_the_jacobian(digits, train):
    x_BCHW = judged(digits)
    plain, contractive = (train(variant, digits, 20, **SMALL) for variant in (VanillaAE, ContractiveAE))
    norms = [exact_jacobian_norm(model.encode, x_BCHW).sqrt().mean().item() for model in (plain, contractive)]
    assert norms[1] < 0.5 * norms[0]
    # Not by giving up on the images.
    assert pixel_error(x_BCHW, contractive.reconstruct(x_BCHW)) < 0.5 * x_BCHW.var(dim=0).mean()


# AdversarialAE.


def squared_mmd(x_NL, y_NL):
    """Unbiased MMD² under a sum of RBF kernels at 0.25 to 4 times the median distance (Gretton et al. 2012)."""
    distances = torch.cdist(torch.cat([x_NL, y_NL]), torch.cat([x_NL, y_NL]))
    median = distances[distances > 0].median()
    kernel = sum((-(distances.square()) / (2 * (width * median) ** 2)).exp() for width in (0.25, 0.5, 1, 2, 4))
    n = len(x_NL)
    inside = [part.sum() - part.diagonal().sum() for part in (kernel[:n, :n], kernel[n:, n:])]
    return (sum(inside) / (n * (n - 1)) - 2 * kernel[:n, n:].mean()).item()


def test_the_mmd_knows_equal_from_unequal():
    generator = torch.Generator().manual_seed(0)
    one, other = torch.randn(2, 300, 2, generator=generator)
    assert squared_mmd(one, other) == pytest.approx(0, abs=0.02)
    assert squared_mmd(one, 2 * other) > 0.1


@pytest.fixture(scope="module")
def plain_in_the_plane(digits, train):
    return train(VanillaAE, digits, 60, **{**SMALL, "latent_dim": 2})


@pytest.mark.slow
@pytest.mark.parametrize("prior", [Normal(), Mixture(), SwissRoll()], ids=repr)
def test_adversarial_codes_are_nearer_the_prior(digits, train, plain_in_the_plane, prior):
    # A discriminator as quick as the encoder sometimes drives all codes to one place before they have spread.
    slower = partial(torch.optim.Adam, lr=3e-4)
    options = {**SMALL, "latent_dim": 2, "discriminator_optimizer": slower}
    adversarial = train(AdversarialAE, digits, 60, prior=prior, **options)
    x_BCHW = judged(digits)
    wanted = adversarial.sample_codes(len(x_BCHW))
    plain, near = (squared_mmd(model.encode(x_BCHW), wanted) for model in (plain_in_the_plane, adversarial))
    assert near < 0.5 * plain


# Reconstruction losses.


@pytest.fixture(scope="module")
def pictures(mnist, train):
    """The reconstructions of a thousand images by a variant after the same short training."""

    def of(variant, **options):
        return train(variant, mnist, 1, num_batches=250, **options).reconstruct(judged(mnist, 1000))

    return {"mse": of(VanillaAE), "bce": of(VanillaAE, reconstruction="bce"), "sample": of(SampleVAE), "vae": of(VAE)}


@pytest.mark.slow
def test_bce_and_mse_give_similar_pictures(mnist, pictures):
    """As near the images as each other, and nearer each other than to the images (Eftimiades)."""
    x_BCHW = judged(mnist, 1000)
    errors = [pixel_error(x_BCHW, pictures[name]) for name in ("mse", "bce")]
    assert errors[1] == pytest.approx(errors[0], rel=0.1)
    assert pixel_error(pictures["mse"], pictures["bce"]) < 0.5 * min(errors)


# SampleVAE.


@pytest.mark.slow
def test_the_batchs_kl_costs_less_than_each_images(mnist, pictures):
    x_BCHW = judged(mnist, 1000)
    vanilla, sample, vae = (pixel_error(x_BCHW, pictures[name]) for name in ("mse", "sample", "vae"))
    assert sample == pytest.approx(vanilla, rel=0.1)
    assert vae > 1.5 * vanilla


# DoubleAE.


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["alternating", "joint"])
def test_the_latent_cycle_closes(digits, train, schedule):
    plain = train(VanillaAE, digits, 40, **SMALL)
    double = train(DoubleAE, digits, 40, schedule=schedule, **SMALL)
    z_BL = plain.sample_codes(1000)
    distances = [(z_BL - model.encode(model.decode(z_BL))).norm(dim=1).mean().item() for model in (plain, double)]
    assert distances[1] < 0.5 * distances[0]
