"""`Linear` and `MLP`."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ae_lightning.errors import ConfigError
from ae_lightning.networks import MLP, Linear
from ae_lightning.spec import DataSpec
from ae_lightning.testing.networks import is_affine, stage_shapes

SHAPE = (3, 5, 4)
CODE = torch.Size((2,))


def test_linear_is_affine_each_way():
    assert is_affine(Linear().build_encoder(DataSpec(SHAPE), 2), torch.Size(SHAPE))
    assert is_affine(Linear().build_decoder(2, DataSpec(SHAPE)), CODE)
    assert Linear.is_linear


def test_linear_reaches_every_pixel_from_every_code_dimension():
    decoder = Linear().build_decoder(2, DataSpec(SHAPE))
    jacobian = torch.autograd.functional.jacobian(decoder, torch.zeros(1, 2))
    assert jacobian.shape == (1, *SHAPE, 1, 2)
    assert (jacobian != 0).all()


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "tanh", "sigmoid"])
def test_mlp_is_affine_at_code_and_output_alone(activation):
    network = MLP(hidden=[7, 6], activation=activation)
    encoder, decoder = network.build_encoder(DataSpec(SHAPE), 2), network.build_decoder(2, DataSpec(SHAPE))
    assert [is_affine(stage, shape[1:]) for stage, shape in with_inputs(encoder, SHAPE)] == [False, False, True]
    assert [is_affine(stage, shape[1:]) for stage, shape in with_inputs(decoder, (2,))] == [False, False, True]
    assert not MLP.is_linear


def with_inputs(stages: nn.Sequential, shape):
    return list(zip(stages, stage_shapes(stages, torch.rand(4, *shape)), strict=False))


def test_mlp_widths_mirror():
    network = MLP(hidden=[7, 6])
    encoded = stage_shapes(network.build_encoder(DataSpec(SHAPE), 2), torch.rand(4, *SHAPE))
    decoded = stage_shapes(network.build_decoder(2, DataSpec(SHAPE)), torch.rand(4, 2))
    assert [tuple(shape) for shape in encoded] == [(4, *SHAPE), (4, 7), (4, 6), (4, 2)]
    assert decoded == encoded[::-1]


def test_mlp_without_hidden_layers_is_linear():
    network = MLP(hidden=[])
    assert is_affine(network.build_encoder(DataSpec(SHAPE), 2), torch.Size(SHAPE))
    assert is_affine(network.build_decoder(2, DataSpec(SHAPE)), CODE)


def test_mlp_refusals_name_the_key():
    with pytest.raises(ConfigError, match=r"^model\.network\.hidden: 0 is not allowed"):
        MLP(hidden=[8, 0])
    with pytest.raises(
        ConfigError, match=r"^model\.network\.activation: 'sigmiod' is not known; did you mean 'sigmoid'"
    ):
        MLP(activation="sigmiod")


def test_recipes_are_printed_as_the_call_that_makes_them():
    assert repr(Linear()) == "Linear()"
    assert repr(MLP(hidden=(9,), activation="tanh")) == "MLP(hidden=[9], activation='tanh')"
    assert MLP(hidden=(9,)).hyperparameters() == {"hidden": [9], "activation": "relu"}
