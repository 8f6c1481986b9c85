from __future__ import annotations

import pytest
import torch

from ae_lightning.errors import ConfigError
from ae_lightning.networks.layers import ACTIVATIONS, Crop, ImageToVector, VectorToImage, build_activation

SHAPE = (3, 4, 5)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_vector_and_image_undo_each_other(memory_format):
    x_BCHW = torch.rand(2, *SHAPE).contiguous(memory_format=memory_format)
    vector = ImageToVector()(x_BCHW)
    assert vector.shape == (2, 60)
    assert torch.equal(VectorToImage(SHAPE)(vector), x_BCHW)


def test_vector_to_image_gives_channels_last_without_a_copy():
    h_BN = torch.rand(2, 60)
    image = VectorToImage(SHAPE)(h_BN)
    assert image.is_contiguous(memory_format=torch.channels_last)
    assert image.data_ptr() == h_BN.data_ptr()


def test_channels_last_images_become_vectors_without_a_copy():
    x_BCHW = torch.rand(2, *SHAPE).contiguous(memory_format=torch.channels_last)
    assert ImageToVector()(x_BCHW).data_ptr() == x_BCHW.data_ptr()


def test_crop_keeps_the_window_and_the_memory_order():
    x_BCHW = torch.rand(2, 3, 6, 7).contiguous(memory_format=torch.channels_last)
    cropped = Crop(1, 2, 4, 3)(x_BCHW)
    assert torch.equal(cropped, x_BCHW[:, :, 1:5, 2:5])
    assert cropped.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_rise_and_are_not_affine(name):
    values = build_activation(name)(torch.linspace(-3, 3, 61))
    steps = values.diff()
    assert (steps >= 0).all()
    assert steps.max() > 1.5 * steps.min()


def test_an_unknown_activation_is_refused_with_what_is_allowed():
    with pytest.raises(ConfigError, match=r"^model\.network\.activation: 'gelu' .*leaky_relu, relu, sigmoid, tanh"):
        build_activation("gelu")
