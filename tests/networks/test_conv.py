from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ae_lightning.errors import ConfigError
from ae_lightning.networks import Conv
from ae_lightning.networks.conv import SamePadding
from ae_lightning.spec import DataSpec
from ae_lightning.testing.networks import is_affine, pixel_sensitivity, stage_shapes

LATENT_DIM = 3


def num_layers_allowed(side, stride, limit=4):
    """How often a side can be strided over before one pixel is left, at most `limit`."""
    if stride == 1:
        return limit
    layers = 0
    while side > 1 and layers < limit:
        side = -(-side // stride)
        layers += 1
    return layers


@st.composite
def buildable(draw):
    """A kernel, a stride, a shape and a number of layers that go together."""
    kernel_size = draw(st.integers(2, 7))
    stride = draw(st.integers(1, min(3, kernel_size)))
    height, width = draw(st.integers(max(8, kernel_size), 64)), draw(st.integers(max(8, kernel_size), 64))
    num_layers = draw(st.integers(1, num_layers_allowed(max(height, width), stride)))
    filters = draw(st.lists(st.integers(1, 3), min_size=num_layers, max_size=num_layers))
    return Conv(filters=filters, kernel_size=kernel_size, stride=stride), (draw(st.sampled_from([1, 3])), height, width)


@settings(max_examples=150, deadline=None)
@given(buildable())
def test_gives_back_height_and_width(built):
    network, shape = built
    encoder, decoder = (
        network.build_encoder(DataSpec(shape), LATENT_DIM),
        network.build_decoder(LATENT_DIM, DataSpec(shape)),
    )
    encoded = stage_shapes(encoder, torch.rand(2, *shape))
    decoded = stage_shapes(decoder, torch.rand(2, LATENT_DIM))
    assert decoded == encoded[::-1]
    assert decoded[-1] == (2, *shape)


@settings(max_examples=150, deadline=None)
@given(buildable())
def test_every_pixel_depends_on_the_code(built):
    network, shape = built
    sensitivity = pixel_sensitivity(
        network.build_decoder(LATENT_DIM, DataSpec(shape)), torch.full((1, LATENT_DIM), 0.5)
    )
    assert (sensitivity > 0).all()


def test_the_sensitivity_test_sees_the_padding_trap():
    """With padding (k − 1) // 2 and a stride of 3, a kernel of 2 never reaches every third row."""
    trapped = nn.Sequential(
        nn.Linear(LATENT_DIM, 9), nn.Unflatten(1, (1, 3, 3)), nn.ConvTranspose2d(1, 1, 2, 3, output_padding=1)
    )
    sensitivity = pixel_sensitivity(trapped, torch.full((1, LATENT_DIM), 0.5))
    assert (sensitivity == 0).any()


@pytest.mark.parametrize(
    ("kernel_size", "stride"), [(kernel, stride) for kernel in range(2, 8) for stride in range(1, min(3, kernel) + 1)]
)
def test_a_side_becomes_its_ceiling(kernel_size, stride):
    """PyTorch's own formulas for the sides, at every side that is allowed."""
    for size in range(8, 65):
        padding = SamePadding(size, kernel_size, stride)
        convolved = (size + 2 * padding.convolution - kernel_size) // stride + 1 - padding.convolution_surplus
        full = (padding.output - 1) * stride - 2 * padding.transposed + kernel_size + padding.transposed_output_padding
        assert padding.output == convolved == -(-size // stride)
        assert full - padding.transposed_surplus == size


@pytest.mark.parametrize("side", [8, 9, 11])
@pytest.mark.parametrize(
    ("kernel_size", "stride"), [(kernel, stride) for kernel in range(2, 6) for stride in range(1, min(3, kernel) + 1)]
)
def test_a_transposed_convolution_undoes_the_place_of_its_convolution(kernel_size, stride, side):
    """With the same weights ⟨f(x), y⟩ = ⟨x, fᵀ(y)⟩: of the right size alone, it could lie a pixel off."""
    network, spec = Conv(filters=[2], kernel_size=kernel_size, stride=stride), DataSpec((1, side, side + 1))
    # all but the activation
    convolution = network.build_encoder(spec, LATENT_DIM)[0][:-1].double()
    transposed = network.build_decoder(LATENT_DIM, spec)[-1].double()
    transposed[0].weight = convolution[0].weight
    nn.init.zeros_(convolution[0].bias)
    nn.init.zeros_(transposed[0].bias)
    x = torch.rand(2, *spec.shape, dtype=torch.float64)
    y = torch.rand_like(convolution(x))
    torch.testing.assert_close((convolution(x) * y).sum(), (x * transposed(y)).sum())


@pytest.mark.parametrize(("side", "stride"), [(8, 2), (9, 2), (28, 2), (28, 3), (64, 2)])
def test_takes_as_many_layers_as_the_image_allows(side, stride):
    allowed = num_layers_allowed(side, stride, limit=99)
    deepest = Conv(filters=[1] * allowed, kernel_size=stride, stride=stride)
    assert deepest.build_encoder(DataSpec((1, side, side)), 2)(torch.rand(1, 1, side, side)).shape == (1, 2)
    assert deepest.build_decoder(2, DataSpec((1, side, side)))(torch.rand(1, 2)).shape == (1, 1, side, side)
    too_deep = Conv(filters=[1] * (allowed + 1), kernel_size=stride, stride=stride)
    message = rf"^model.network.filters: layer {allowed + 1} of {allowed + 1} .* allow {allowed} layers"
    for build in (
        lambda: too_deep.build_encoder(DataSpec((1, side, side)), 2),
        lambda: too_deep.build_decoder(2, DataSpec((1, side, side))),
    ):
        with pytest.raises(ConfigError, match=message):
            build()


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"kernel_size": 2, "stride": 3}, "kernel_size"),
        ({"kernel_size": 0}, "kernel_size"),
        ({"stride": 0}, "stride"),
        ({"filters": []}, "filters"),
        ({"filters": [8, 0]}, "filters"),
        ({"activation": "reul"}, "activation"),
    ],
)
def test_refusals_name_the_key(options, key):
    with pytest.raises(ConfigError, match=rf"^model\.network\.{key}: "):
        Conv(**options)


@pytest.mark.parametrize("shape", [(1, 6, 28), (1, 28, 6)])
def test_a_kernel_larger_than_the_image_is_refused(shape):
    with pytest.raises(ConfigError, match=r"^model\.network\.kernel_size: 7 is larger than the image"):
        Conv(kernel_size=7).build_encoder(DataSpec(shape), 2)


def test_an_unknown_activation_is_answered_with_the_nearest():
    with pytest.raises(ConfigError, match=r"'leaky_rule' is not known; did you mean 'leaky_relu'\?"):
        Conv(activation="leaky_rule")


@pytest.mark.parametrize("batch_norm", [False, True])
def test_no_activation_on_either_side_of_the_bottleneck(batch_norm):
    network = Conv(batch_norm=batch_norm)
    encoder, decoder = (
        network.build_encoder(DataSpec((1, 28, 28)), LATENT_DIM),
        network.build_decoder(LATENT_DIM, DataSpec((1, 28, 28))),
    )
    assert is_affine(encoder[-1], torch.Size((64, 7, 7)))
    assert is_affine(decoder[0], torch.Size((LATENT_DIM,)))


def test_an_activation_behind_the_decoders_affine_map_on_request():
    plain, activated = Conv(activation="leaky_relu"), Conv(activation="leaky_relu", activate_dense=True)
    decoders = [network.build_decoder(LATENT_DIM, DataSpec((1, 28, 28))) for network in (plain, activated)]
    decoders[1].load_state_dict(decoders[0].state_dict())
    codes = torch.randn(8, LATENT_DIM)
    mapped, activated_map = (decoder[0](codes) for decoder in decoders)
    torch.testing.assert_close(activated_map, torch.nn.functional.leaky_relu(mapped))
    assert is_affine(activated.build_encoder(DataSpec((1, 28, 28)), LATENT_DIM)[-1], torch.Size((64, 7, 7)))


def test_every_layer_but_the_last_is_activated():
    """A stage that is affine would add nothing to its neighbours."""
    network = Conv(filters=(4, 8))
    encoder, decoder = (
        network.build_encoder(DataSpec((1, 16, 16)), LATENT_DIM),
        network.build_decoder(LATENT_DIM, DataSpec((1, 16, 16))),
    )
    assert not is_affine(encoder[0], torch.Size((1, 16, 16)))
    assert not is_affine(encoder[1], torch.Size((4, 8, 8)))
    assert not is_affine(decoder[1], torch.Size((8, 4, 4)))
    assert is_affine(decoder[2], torch.Size((4, 8, 8)))


def test_batch_norm_normalises_what_training_sees():
    stage = Conv(filters=[4], batch_norm=True, activation="tanh").build_encoder(DataSpec((1, 8, 8)), 2)[0][:-1].train()
    h_BCHW = stage(100 + 50 * torch.randn(64, 1, 8, 8))
    torch.testing.assert_close(h_BCHW.mean(dim=(0, 2, 3)), torch.zeros(4), atol=1e-4, rtol=0)
    torch.testing.assert_close(h_BCHW.var(dim=(0, 2, 3)), torch.ones(4), atol=1e-2, rtol=0)


def test_the_recipe_is_what_it_was_given():
    arguments = {"filters": [4, 8], "kernel_size": 5, "stride": 3, "activation": "tanh", "batch_norm": True}
    network = Conv(**arguments, activate_dense=True)
    assert network.hyperparameters() == {**arguments, "activate_dense": True}
    shown = "filters=[4, 8], kernel_size=5, stride=3, activation='tanh', batch_norm=True, activate_dense=True"
    assert repr(network) == f"Conv({shown})"
