"""Samples that are no images: vectors of features, without bounds."""

from __future__ import annotations

import pytest
import torch

from ae_lightning.errors import ConfigError
from ae_lightning.networks import MLP, Backbone, Conv, Linear, ResNet, Unpool
from ae_lightning.spec import DataSpec
from ae_lightning.variants.vae import VAE
from ae_lightning.variants.vanilla import VanillaAE

VECTORS = DataSpec((30,), "vector", None)


@pytest.mark.parametrize("network", [MLP(hidden=[16, 8]), Linear()], ids=["MLP", "Linear"])
@pytest.mark.parametrize("variant", [VanillaAE, VAE])
def test_vectors_come_back_without_bounds(variant, network):
    torch.manual_seed(0)
    model = variant(spec=VECTORS, network=network, latent_dim=4)
    x_BD = 1000 * torch.randn(5, 30)
    assert model.encode(x_BD).shape == (5, 4)
    assert model.reconstruct(x_BD).shape == x_BD.shape
    assert model.reconstruction.output_activation == "identity"
    assert model.reconstruct(x_BD).abs().max() > 1


@pytest.mark.parametrize(
    "network", [Conv(), ResNet(), Unpool(), Backbone()], ids=lambda network: type(network).__name__
)
def test_a_network_for_images_refuses_vectors_by_name(network):
    with pytest.raises(
        ConfigError, match=rf"^model\.network: {type(network).__name__} takes images, not vectors of 30"
    ):
        VanillaAE(spec=VECTORS, network=network)


@pytest.mark.parametrize("loss", ["bce", "softmax"])
def test_a_loss_of_values_from_0_to_1_refuses_others(loss):
    with pytest.raises(ConfigError, match=rf"^model\.reconstruction: '{loss}' takes values from 0 to 1"):
        VanillaAE(spec=VECTORS, network=Linear(), reconstruction=loss)


@pytest.mark.parametrize(
    ("shape", "kind"), [((30,), "image"), ((1, 8, 8), "vector"), ((0, 8, 8), "image"), ((), "vector")]
)
def test_a_shape_that_is_not_of_the_kind_is_refused(shape, kind):
    with pytest.raises(ConfigError, match=r"^spec: .* is no shape of an? "):
        DataSpec(shape, kind)
