"""The VQ-VAE of the examples: a grid of whole numbers for a code."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from vq_vae import VQVAE

from ae_lightning.callbacks.encoding import encode_split, numpy_model
from ae_lightning.data.datamodule import DataModule
from ae_lightning.errors import ConfigError
from ae_lightning.networks import MLP, Conv
from ae_lightning.spec import DataSpec
from ae_lightning.testing import VariantSuite
from ae_lightning.testing.training import build_trainer

pytestmark = pytest.mark.slow


class TestVQVAE(VariantSuite):
    variant = VQVAE
    options = {"codebook_size": 8, "commitment": 0.5}  # noqa: RUF012  # as a user would write it


def build(**options):
    torch.manual_seed(0)
    return VQVAE(spec=DataSpec((1, 16, 16)), network=Conv(filters=[4, 8]), latent_dim=3, **options)


def test_a_code_is_a_grid_of_numbers():
    model = build(codebook_size=8)
    latent = model.encode(torch.rand(5, 1, 16, 16))
    assert latent.shape == (5, 4, 4)
    assert latent.dtype == torch.int64
    assert latent.max() < 8
    assert model.code_bits() == 16 * 3
    assert model.features(latent).shape == (5, 3 * 16)
    assert model.usage(latent).sum() == pytest.approx(1)


def test_each_place_has_the_nearest_vector():
    model = build(codebook_size=8)
    map_BLHW = torch.randn(2, 3, 4, 4)
    distances = torch.cdist(map_BLHW.permute(0, 2, 3, 1).reshape(-1, 3), model.codebook.weight)
    assert torch.equal(model.nearest(map_BLHW).flatten(), distances.argmin(dim=1))


def test_the_nearest_vector_is_the_same_under_autocast():
    model = build(codebook_size=64)
    map_BLHW = torch.randn(8, 3, 4, 4)
    with torch.autocast("cpu", torch.bfloat16):
        found = model.nearest(map_BLHW)
    assert torch.equal(found, model.nearest(map_BLHW))


@torch.no_grad()
def test_what_measures_look_at_is_the_models_own():
    """Grids stay whole numbers on their way through arrays: others would be decoded as if they were vectors."""
    data = DataModule()
    torch.manual_seed(0)
    model = VQVAE(spec=data.spec, network=Conv(filters=[4, 8]), latent_dim=3, codebook_size=8).eval()
    encoded, arrays = encode_split(build_trainer(), model, data, "val"), numpy_model(model)
    x = torch.from_numpy(encoded.x)
    latent = model.encode(x)
    assert encoded.latents.dtype == np.int64
    assert np.array_equal(encoded.latents, latent.numpy())
    assert np.array_equal(arrays.features(encoded.latents), encoded.codes)
    np.testing.assert_allclose(encoded.codes, model.features(latent), atol=1e-6)
    for decoded in (encoded.reconstructions, arrays.decode(encoded.latents), arrays.restore(encoded.x)):
        np.testing.assert_allclose(decoded, model.reconstruct(x), atol=1e-6)


def test_a_network_without_maps_is_refused():
    with pytest.raises(ConfigError, match=r"^model\.network: MLP has no maps"):
        VQVAE(spec=DataSpec((1, 8, 8)), network=MLP())
