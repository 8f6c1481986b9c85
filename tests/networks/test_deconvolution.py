"""What filters see: projections back to the pixels against gradients and against what they must leave dark."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from ae_lightning.networks import MLP, Backbone, Conv, Linear, ResNet, Unpool
from ae_lightning.networks.deconvolution import convolution_layers, project_back
from ae_lightning.spec import DataSpec

SHAPE = (2, 17, 14)


def encoder_of(network, shape=SHAPE):
    torch.manual_seed(0)
    return network.build_encoder(DataSpec(shape), 4).eval()


def images(num=3, shape=SHAPE):
    return torch.rand(num, *shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("network", "channels"),
    [
        (Conv(filters=(3, 5)), [3, 5]),
        (Conv(filters=(3, 5, 4), batch_norm=True, activation="leaky_relu"), [3, 5, 4]),
        (Conv(filters=(3, 5), stride=1), [3, 5]),
        (Unpool(filters=(3, 5)), [3, 5]),
        (ResNet(widths=(3, 5), depth=1), [3, 3, 3, 5, 5, 5]),
        (MLP(), []),
        (Linear(), []),
    ],
)
def test_convolutions_are_found_in_order(network, channels):
    layers = convolution_layers(encoder_of(network), images())
    assert [layer.convolution.out_channels for layer in layers] == channels
    for layer in layers:
        assert layer.activations(images()).shape[1] == layer.convolution.out_channels


@pytest.mark.parametrize(("name", "num"), [("resnet18", 20), ("vgg11_bn", 8), ("efficientnet_b0", 81)])
def test_a_trunk_has_its_convolutions_in_order(name, num):
    encoder = encoder_of(Backbone(name), (1, 20, 20))
    layers = convolution_layers(encoder, images(1, (1, 20, 20)))
    assert len(layers) == num
    assert layers[0].convolution.in_channels == 3
    for layer in (layers[0], layers[num // 2]):
        seen = project_back(layer, images(2, (1, 20, 20)), 0)
        assert seen.shape == (2, 1, 20, 20)
        assert seen.isfinite().all()
        assert seen.abs().amax(dim=(1, 2, 3)).gt(0).all()


def test_a_compiled_encoder_is_seen_through():
    """What is compiled passes over hooks that it did not know when it was."""
    encoder, plain = (encoder_of(Conv(filters=(3, 5))) for _ in range(2))
    encoder.compile(backend="eager")
    with torch.no_grad():
        encoder(images())
    layers, expected = convolution_layers(encoder, images()), convolution_layers(plain, images())
    assert [layer.convolution.out_channels for layer in layers] == [3, 5]
    for one, other in zip(layers, expected, strict=True):
        torch.testing.assert_close(one.activations(images()), other.activations(images()))
        torch.testing.assert_close(project_back(one, images(), 0), project_back(other, images(), 0))


def test_activations_in_place_are_rectified_too_and_left_as_they_were():
    chain = encoder_of(Conv(filters=(3, 5)))
    in_place = copy.deepcopy(chain)
    for module in in_place.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = True
    layers = [convolution_layers(encoder, images())[1] for encoder in (chain, in_place)]
    torch.testing.assert_close(*(project_back(layer, images(), 1) for layer in layers))
    assert all(module.inplace for module in in_place.modules() if isinstance(module, nn.ReLU))


def test_looking_leaves_running_statistics_alone():
    encoder = Backbone("resnet18").build_encoder(DataSpec((1, 20, 20)), 4).train()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    convolution_layers(encoder, images(2, (1, 20, 20)))
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())
    assert encoder.training


@pytest.mark.parametrize("network", [Conv(filters=(4,)), Unpool(filters=(4,)), Conv(filters=(4,), batch_norm=True)])
def test_one_layer_back_is_the_gradient_times_the_activation(network):
    """Below a single layer there is no activation function to rectify at, so that theory and gradient agree."""
    (layer,) = convolution_layers(encoder_of(network), images())
    x_BCHW = images().requires_grad_()
    peaks = layer.activations(x_BCHW)[:, 2].flatten(1).amax(dim=1)
    (gradient,) = torch.autograd.grad(peaks.sum(), x_BCHW)
    expected = gradient * peaks.detach()[:, None, None, None]
    assert peaks.min() > 0
    torch.testing.assert_close(project_back(layer, images(), 2), expected, atol=1e-6, rtol=1e-4)


def test_pooling_is_undone_where_the_maxima_were():
    layers = convolution_layers(encoder_of(Unpool(filters=(4, 6))), images())
    second = layers[1]
    seen = project_back(second, images(), 0)
    assert seen.ne(0).any()
    # A 3 × 3 kernel on pooled maps, and one on the image, see at most 8 × 8 pixels.
    rows = seen.abs().amax(dim=(1, 3)).ne(0).sum(dim=1)
    columns = seen.abs().amax(dim=(1, 2)).ne(0).sum(dim=1)
    assert rows.max() <= 8
    assert columns.max() <= 8


def test_unpooling_by_switches_is_the_way_back():
    """Against PyTorch's own unpooling, which is told the places of the maxima."""
    x_BCHW = images(shape=(1, 8, 8))
    encoder = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.MaxPool2d(2), nn.Conv2d(1, 1, 1, bias=False)).eval()
    with torch.no_grad():
        for convolution in (encoder[0], encoder[2]):
            convolution.weight.fill_(1.0)
    pooled, switches = nn.functional.max_pool2d(x_BCHW, 2, return_indices=True)
    strongest = torch.where(pooled == pooled.amax(dim=(2, 3), keepdim=True), pooled, 0.0)
    expected = nn.functional.max_unpool2d(strongest, switches, 2)
    torch.testing.assert_close(project_back(convolution_layers(encoder, x_BCHW)[1], x_BCHW, 0), expected)


def test_the_signal_is_rectified_on_the_way_back():
    """A weight below zero into a rectified unit carries nothing back, though its gradient does."""
    first, second = nn.Conv2d(1, 1, 1, bias=False), nn.Conv2d(1, 1, 1)
    with torch.no_grad():
        first.weight.fill_(1.0)
        second.weight.fill_(-1.0)
        second.bias.fill_(5.0)
    encoder = nn.Sequential(nn.Sequential(first, nn.ReLU()), nn.Sequential(second, nn.ReLU()))
    _, layer = convolution_layers(encoder.eval(), torch.ones(1, 1, 3, 3))
    assert torch.equal(project_back(layer, torch.ones(1, 1, 3, 3), 0), torch.zeros(1, 1, 3, 3))


def test_it_works_where_lightning_judges():
    encoder = encoder_of(ResNet(widths=(3, 5)))
    with torch.inference_mode():
        layers = convolution_layers(encoder, images())
        assert project_back(layers[1], images(), 0).shape == (3, *SHAPE)
