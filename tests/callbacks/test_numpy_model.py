"""A model as functions on arrays."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ae_lightning.callbacks.encoding import corrupt_images, numpy_model, overlay_images
from ae_lightning.data import DataModule
from ae_lightning.judging import chunks
from ae_lightning.judging.case import Case
from ae_lightning.judging.encoded import EncodedSplit
from ae_lightning.judging.measures.denoising import DenoisingGain
from ae_lightning.judging.picture_case import Corruption, PictureCase
from ae_lightning.judging.pictures.denoising import Denoising
from ae_lightning.networks import MLP, Linear
from ae_lightning.priors.mixture import Mixture
from ae_lightning.spec import DataSpec
from ae_lightning.variants.adversarial import AdversarialAE
from ae_lightning.variants.denoising import DenoisingAE
from ae_lightning.variants.vae import VAE
from ae_lightning.variants.vanilla import VanillaAE

SHAPE = (1, 8, 8)


@pytest.fixture
def images(monkeypatch):
    """More images than one chunk holds."""
    monkeypatch.setattr(chunks, "CHUNK_SIZE", 16)
    return np.random.default_rng(0).random((50, *SHAPE), dtype=np.float32)


def build(cls, **options):
    torch.manual_seed(0)
    return cls(spec=DataSpec(SHAPE), latent_dim=3, network=Linear(), **options).eval()


@torch.no_grad()
def test_each_function_is_the_models_own(images):
    model = build(VAE)
    arrays, x_BCHW = numpy_model(model), torch.from_numpy(images)
    codes = arrays.encode(images)
    assert codes == pytest.approx(model.encode(x_BCHW).numpy(), abs=1e-5)
    assert arrays.decode(codes) == pytest.approx(model.decode(torch.from_numpy(codes)).numpy(), abs=1e-5)
    assert arrays.restore(images) == pytest.approx(model.reconstruct(x_BCHW).numpy(), abs=1e-5)
    assert np.array_equal(arrays.draw_prior(20, 4), model.sample_codes(20, 4).numpy())


def test_a_vaes_codes_are_drawn_and_others_are_not(images):
    model = build(VAE)
    with torch.no_grad():
        mean, log_variance = (part.numpy() for part in model.posterior(torch.from_numpy(images)))
    drawn = np.stack([numpy_model(model).draw_posterior(images, seed) for seed in range(300)])
    assert drawn.mean(axis=0) == pytest.approx(mean, abs=0.4)
    assert drawn.std(axis=0) == pytest.approx(np.exp(log_variance / 2), rel=0.3)
    # Chunks differ in their noise.
    noise = (drawn[0] - mean) / np.exp(log_variance / 2)
    assert not np.allclose(noise[:16], noise[16:32], atol=1e-2)
    vanilla = numpy_model(build(VanillaAE))
    assert np.array_equal(vanilla.draw_posterior(images, 0), vanilla.encode(images))


def test_the_prior_is_the_variants_own():
    radii = np.linalg.norm(numpy_model(build(AdversarialAE, prior=Mixture())).draw_prior(500, 0)[:, :2], axis=1)
    assert np.median(radii) == pytest.approx(3, abs=0.2)


@pytest.mark.parametrize(
    ("model", "share_of_zeros"), [(build(VanillaAE), 0.0), (build(DenoisingAE, corruption="masking", p=0.7), 0.7)]
)
def test_the_corruption_is_the_variants_own(images, model, share_of_zeros):
    split = EncodedSplit(0.5 * images + 0.25, np.zeros((50, 3), np.float32))
    corrupted = corrupt_images(model, split, seed=0)
    assert np.array_equal(corrupted.clean, split.x)
    assert ((corrupted.corrupted == 0) & (corrupted.clean > 0.3)).mean() == pytest.approx(share_of_zeros, abs=0.1)
    assert np.array_equal(corrupted.corrupted, corrupt_images(model, split, seed=0).corrupted)


def test_noise_of_a_third_is_the_corruption_of_all_others():
    grey = EncodedSplit(np.full((200, *SHAPE), 0.5, np.float32), np.zeros((200, 3), np.float32))
    corrupted = corrupt_images(build(VAE), grey, seed=0).corrupted
    assert np.std(np.random.default_rng(0).normal(0.5, 0.3, 100_000).clip(0, 1)) == pytest.approx(
        float(corrupted.std()), rel=0.02
    )


def test_images_are_overlaid_only_on_demand():
    data = DataModule(overlay=True, scaling="image_max")
    overlaid = overlay_images(data, data.split("val"), seed=0)
    assert overlaid.images.shape == (len(data.split("val")), *SHAPE)
    assert overlaid.images.max(axis=(1, 2, 3)) == pytest.approx(1)
    assert overlaid.labels[:, 0].tolist() == data.split("val").labels.tolist()
    assert overlay_images(DataModule(), data.split("val"), seed=0) is None


@pytest.mark.parametrize(
    ("network", "options", "is_bounded"),
    [
        (MLP(hidden=[8]), {}, True),
        (MLP(hidden=[8]), {"reconstruction": "softmax"}, True),
        (MLP(hidden=[8]), {"output_activation": "identity"}, False),
        (MLP(hidden=[8]), {"spec": DataSpec((5,), "vector", None)}, False),
        (Linear(), {}, False),
        (Linear(), {"reconstruction": "bce"}, True),
    ],
)
def test_it_says_whether_an_activation_bounds_what_is_decoded(network, options, is_bounded):
    model = VanillaAE(**{"spec": DataSpec(SHAPE), "latent_dim": 3, "network": network, **options})
    assert numpy_model(model).is_bounded == is_bounded


@torch.no_grad()
def test_what_is_restored_under_softmax_is_as_bright_as_the_clean_image(images):
    """By hand: the softmax over what is decoded from the corrupted images, times the sums of the clean ones."""
    model, dark = build(DenoisingAE, reconstruction="softmax"), 0.2 * images
    split = EncodedSplit(dark, np.zeros((50, 3), np.float32))
    corrupted = corrupt_images(model, split, seed=0)
    shares = model.decoder(model.encoder(torch.from_numpy(corrupted.corrupted))).flatten(1).softmax(1)
    restored = shares.double().numpy().reshape(dark.shape) * dark.sum(axis=(1, 2, 3), keepdims=True)

    def decibels(found):
        return -10 * np.log10(np.square(found - dark).mean(axis=(1, 2, 3)))

    case = Case(split, split, seed=0, model=numpy_model(model), corrupted=corrupted)
    expected = (decibels(restored) - decibels(corrupted.corrupted)).mean()
    assert DenoisingGain().compute(case)["denoising_psnr_gain"] == pytest.approx(expected, abs=1e-3)

    corruption = Corruption("its own", lambda rows, seed: corrupted.corrupted[:24])
    few = split.select(np.arange(24))
    figure = Denoising().draw(PictureCase(Case(few, few, 0, numpy_model(model)), "", corruption, list, None, {}))
    written = " ".join(text.get_text() for axes in figure.axes for text in axes.texts)
    assert all(f"{value:.1f} dB" in written for value in decibels(restored)[:24])
