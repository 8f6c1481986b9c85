from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn

from ae_lightning.errors import ConfigError
from ae_lightning.networks import ResNet
from ae_lightning.networks.resnet import ResidualBlock
from ae_lightning.spec import DataSpec
from ae_lightning.testing.networks import stage_shapes
from ae_lightning.testing.training import generate_batch
from ae_lightning.variants.vanilla import VanillaAE

LATENT_DIM = 3
SHAPES = [(1, 8, 8), (3, 8, 8), (1, 9, 7), (3, 17, 28), (1, 1, 5)]


def blocks_of(module):
    return [block for block in module.modules() if isinstance(block, ResidualBlock)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("widths", [[4], [4, 5, 6]], ids=str)
def test_each_stage_halves_the_side_and_the_mirror_gives_it_back(shape, widths):
    network = ResNet(widths=widths)
    encoded = stage_shapes(network.build_encoder(DataSpec(shape), LATENT_DIM), generate_batch(shape, 2))
    decoded = stage_shapes(network.build_decoder(LATENT_DIM, DataSpec(shape)), torch.rand(2, LATENT_DIM))
    assert [size[1] for size in encoded[1:-1]] == widths
    for before, after in pairwise(encoded[:-1]):
        assert after[2:] == (-(-before[2] // 2), -(-before[3] // 2))
    assert decoded == encoded[::-1]


@pytest.mark.parametrize("depth", [1, 3])
def test_depth_is_the_number_of_blocks_a_stage(depth):
    network = ResNet(widths=[4, 5], depth=depth)
    for stages in (
        network.build_encoder(DataSpec((1, 8, 8)), 2)[:-1],
        network.build_decoder(2, DataSpec((1, 8, 8)))[1:],
    ):
        assert [len(blocks_of(stage)) for stage in stages] == [depth, depth]


def test_a_block_without_a_residual_is_the_shortcut():
    block = ResidualBlock(3, "relu", batch_norm=False)
    for parameter in block.residual.parameters():
        nn.init.zeros_(parameter)
    x_BCHW = torch.randn(2, 3, 5, 5)
    assert torch.equal(block(x_BCHW), x_BCHW.relu())


@pytest.mark.parametrize("batch_norm", [False, True])
def test_batch_norm_is_there_when_asked_for(batch_norm):
    encoder = ResNet(widths=[4], batch_norm=batch_norm).build_encoder(DataSpec((1, 8, 8)), 2)
    assert any(isinstance(layer, nn.BatchNorm2d) for layer in encoder.modules()) == batch_norm


@pytest.mark.parametrize("depth", [1, 8])
def test_gradients_reach_the_first_layer_of_a_deep_network(depth):
    torch.manual_seed(0)
    encoder = ResNet(widths=[4, 4], depth=depth).build_encoder(DataSpec((1, 8, 8)), LATENT_DIM)
    encoder(generate_batch((1, 8, 8), 4)).square().sum().backward()
    first = next(encoder.parameters()).grad
    assert first.isfinite().all()
    assert first.norm() > 1e-3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"widths": []}, r"^model\.network\.widths: an empty list is not allowed"),
        ({"widths": [4, 0]}, r"^model\.network\.widths: 0 is not allowed"),
        ({"depth": 0}, r"^model\.network\.depth: 0 is not allowed"),
        ({"activation": "rleu"}, r"^model\.network\.activation: 'rleu' .*did you mean 'relu'"),
    ],
)
def test_what_cannot_be_built_is_refused_by_its_key(options, message):
    with pytest.raises(ConfigError, match=message):
        ResNet(**options)


@pytest.mark.slow
def test_images_on_white_do_not_drive_the_output_into_saturation():
    """Most pixels pull the logits up at once; from a sigmoid that all of them saturate no gradient leads back."""
    generator = torch.Generator().manual_seed(0)
    x_BCHW = torch.ones(64, 3, 24, 24)
    for image, colour in zip(x_BCHW, torch.rand(64, 3, generator=generator), strict=True):
        row, column = torch.randint(4, 12, (2,), generator=generator).tolist()
        image[:, row : row + 8, column : column + 8] = colour[:, None, None]
    torch.manual_seed(0)
    model = VanillaAE(spec=DataSpec((3, 24, 24)), network=ResNet(), latent_dim=64).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for step in range(40):
        batch_BCHW = x_BCHW[step % 2 :: 2]
        loss = (model.reconstruct(batch_BCHW) - batch_BCHW).square().flatten(1).sum(1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    of_white = (1 - x_BCHW).square().flatten(1).sum(1).mean()
    assert loss < 0.5 * of_white
