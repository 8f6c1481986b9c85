"""Codes that keep places: maps in place of vectors."""

from __future__ import annotations

import pytest
import torch

from ae_lightning.errors import ConfigError
from ae_lightning.networks import MLP, Backbone, CodeMap, Conv, Linear, ResNet, Unpool
from ae_lightning.spec import DataSpec

NETWORKS = [Conv(filters=[4, 8]), ResNet(widths=[4, 8]), Unpool(filters=[4, 8]), Backbone(widths=(4, 8))]


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: type(network).__name__)
@pytest.mark.parametrize("shape", [(1, 32, 32), (3, 33, 40), (5, 32, 32)], ids=str)
def test_a_map_keeps_places(network, shape):
    """Its channels are those that were asked for, and the decoder gives back the image's shape from it."""
    spec = DataSpec(shape)
    encoder, decoder = network.build_encoder(spec, CodeMap(6)).eval(), network.build_decoder(CodeMap(3), spec).eval()
    codes = encoder(torch.rand(2, *shape))
    assert codes.shape[:2] == (2, 6)
    assert codes.ndim == 4
    assert decoder(codes[:, :3]).shape == (2, *shape)


@pytest.mark.parametrize("network", NETWORKS[:3], ids=lambda network: type(network).__name__)
def test_a_place_of_the_map_sees_its_part_of_the_image(network):
    encoder = network.build_encoder(DataSpec((1, 32, 32)), CodeMap(2)).eval()
    image = torch.rand(1, 1, 32, 32)
    changed = image.clone()
    changed[..., 24:, 24:] = 0
    with torch.no_grad():
        moved = (encoder(image) - encoder(changed)).abs().amax(dim=1)[0]
    assert moved[-1, -1] > 0
    assert moved[0, 0] == 0


@pytest.mark.parametrize("network", [MLP(), Linear()], ids=lambda network: type(network).__name__)
def test_a_network_without_maps_says_which_have_them(network):
    message = rf"^model\.network: {type(network).__name__} has no maps; Conv, ResNet, Unpool and Backbone give them$"
    with pytest.raises(ConfigError, match=message):
        network.build_encoder(DataSpec((1, 8, 8)), CodeMap(2))
    with pytest.raises(ConfigError, match=message):
        network.build_decoder(CodeMap(2), DataSpec((1, 8, 8)))


def test_a_trunk_without_maps_is_refused_by_name():
    with pytest.raises(ConfigError, match=r"^model\.network\.name: vit_b_16 has no maps"):
        Backbone("vit_b_16").build_encoder(DataSpec((3, 32, 32)), CodeMap(2))
