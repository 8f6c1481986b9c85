from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from ae_lightning.errors import ConfigError
from ae_lightning.networks import Unpool
from ae_lightning.spec import DataSpec
from ae_lightning.testing.networks import stage_shapes
from ae_lightning.testing.training import generate_batch

LATENT_DIM = 3
SHAPES = [(1, 8, 8), (3, 8, 8), (1, 9, 7), (3, 17, 28), (1, 2, 5)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("filters", [[4], [4, 5]], ids=str)
def test_each_stage_halves_the_side_and_the_mirror_gives_it_back(shape, filters):
    network = Unpool(filters=filters)
    encoded = stage_shapes(network.build_encoder(DataSpec(shape), LATENT_DIM), generate_batch(shape, 2))
    decoded = stage_shapes(network.build_decoder(LATENT_DIM, DataSpec(shape)), torch.rand(2, LATENT_DIM))
    for before, after in pairwise(encoded[:-1]):
        assert after[2:] == (-(-before[2] // 2), -(-before[3] // 2))
    assert decoded == encoded[::-1]


def test_one_layer_too_many_is_refused_with_how_many_there_may_be():
    with pytest.raises(ConfigError, match=r"^model\.network\.filters: layer 4 of 4 .*8 × 8 images allow 3 layers"):
        Unpool(filters=[2, 2, 2, 2]).build_encoder(DataSpec((1, 8, 8)), LATENT_DIM)


@pytest.mark.parametrize("kernel_size", [1, 2, 3, 4, 5])
def test_any_kernel_gives_back_the_image_s_shape(kernel_size):
    network = Unpool(filters=[4], kernel_size=kernel_size)
    x_BCHW = generate_batch((1, 9, 7), 2)
    code = network.build_encoder(DataSpec((1, 9, 7)), LATENT_DIM)(x_BCHW)
    assert network.build_decoder(LATENT_DIM, DataSpec((1, 9, 7)))(code).shape == x_BCHW.shape


def test_a_code_decodes_the_same_whatever_was_encoded_since():
    """Switches that reached the decoder would carry the image around the bottleneck."""
    torch.manual_seed(0)
    network = Unpool(filters=[4, 5])
    encoder = network.build_encoder(DataSpec((1, 8, 8)), LATENT_DIM).eval()
    decoder = network.build_decoder(LATENT_DIM, DataSpec((1, 8, 8))).eval()
    ours, others = generate_batch((1, 8, 8), 2), generate_batch((1, 8, 8), 2, seed=7)
    z_BL = encoder(ours)
    before = decoder(z_BL)
    encoder(others)
    assert torch.equal(decoder(z_BL), before)
    assert not torch.equal(decoder(encoder(others)), before)
