"""`TransposedConvolution` against PyTorch's own layer."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ae_lightning.networks.transposed_convolution import FEW_CHANNELS, TransposedConvolution


@st.composite
def layers(draw):
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    kernel = tuple(draw(st.integers(1, 7)) for _ in stride)
    padding = tuple(draw(st.integers(0, (side - 1) // 2)) for side in kernel)
    extra = tuple(draw(st.integers(0, step - 1)) for step in stride)
    channels = draw(st.integers(1, 5)), draw(st.integers(1, FEW_CHANNELS + 2))
    sides = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    return (*channels, kernel, stride, padding, extra), draw(st.booleans()), sides


def both(arguments, bias, dtype=torch.float64):
    ours = TransposedConvolution(*arguments, bias=bias).to(dtype, memory_format=torch.channels_last)
    theirs = nn.ConvTranspose2d(*arguments, bias=bias).to(dtype)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def derivatives(layer, x, weights):
    x = x.clone().requires_grad_()
    y = layer(x)
    (y * weights).sum().backward()
    return [y.detach(), x.grad, *(parameter.grad for parameter in layer.parameters())]


@settings(max_examples=150, deadline=None)
@given(layers(), st.booleans())
def test_output_and_gradients_are_those_of_pytorch(drawn, channels_last):
    arguments, bias, sides = drawn
    ours, theirs = both(arguments, bias)
    x = torch.randn(3, arguments[0], *sides, dtype=torch.float64)
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last)
    weights = torch.randn_like(theirs(x))
    for got, wanted in zip(derivatives(ours, x, weights), derivatives(theirs, x, weights), strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("outputs", [1, 3, 32])
def test_bfloat16_differs_by_its_rounding(outputs):
    ours, theirs = both((16, outputs, 4, 2, 1), bias=True, dtype=torch.float32)
    x = torch.randn(8, 16, 7, 7)
    exact = theirs(x)
    with torch.autocast("cpu", torch.bfloat16):
        got = ours(x)
    assert got.dtype == torch.bfloat16
    assert (got.float() - exact).abs().max() < 0.02 * exact.abs().max()


def test_an_output_size_chooses_the_padding_as_in_pytorch():
    ours, theirs = both((4, 1, 4, 2, 1), bias=True)
    x = torch.randn(2, 4, 7, 7, dtype=torch.float64)
    torch.testing.assert_close(ours(x, output_size=[15, 14]), theirs(x, output_size=[15, 14]))


@pytest.mark.parametrize("outputs", [1, 6])
def test_it_can_be_differentiated_forward_and_mapped(outputs):
    layer, reference = both((4, outputs, 4, 2, 1), bias=True)
    x, tangent = torch.randn(2, 4, 5, 5, dtype=torch.float64), torch.randn(2, 4, 5, 5, dtype=torch.float64)
    _, got = torch.func.jvp(layer, (x,), (tangent,))
    _, wanted = torch.func.jvp(reference, (x,), (tangent,))
    torch.testing.assert_close(got, wanted)
    mapped = torch.func.vmap(lambda image: layer(image[None])[0])(x)
    torch.testing.assert_close(mapped, reference(x))
