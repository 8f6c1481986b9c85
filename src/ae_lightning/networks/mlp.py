"""`MLP`: fully connected layers, mirrored."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from ae_lightning.checks import require_at_least
from ae_lightning.networks.base import Code, Network
from ae_lightning.networks.layers import build_activation, sample_to_vector, vector_to_sample
from ae_lightning.spec import DataSpec


class MLP(Network):
    """Fully connected layers with an activation after each hidden one; the code and the output have none.

    Args:
        hidden: Widths of the encoder's hidden layers; the decoder's are the same in reverse.
        activation: `relu`, `leaky_relu`, `tanh` or `sigmoid`.

    Raises:
        ConfigError: If a width is below 1 or the activation is unknown.
    """

    def __init__(self, hidden: Sequence[int] = (512, 128), activation: str = "relu") -> None:
        self.hidden = list(hidden)
        self.activation = activation
        for width in self.hidden:
            require_at_least("model.network.hidden", width)
        build_activation(activation)

    def build_encoder(self, spec: DataSpec, code: Code) -> nn.Sequential:
        """Build a stage a hidden layer, and what makes the code."""
        widths = [spec.num_values, *self.hidden]
        stages = [nn.Sequential(nn.Linear(a, b), build_activation(self.activation)) for a, b in pairwise(widths)]
        stages.append(nn.Sequential(nn.Linear(widths[-1], self.vector_length(code))))
        stages[0].insert(0, sample_to_vector(spec))
        return nn.Sequential(*stages)

    def build_decoder(self, code: Code, spec: DataSpec) -> nn.Sequential:
        """Build the encoder's stages in reverse; the last has no activation."""
        widths = [self.vector_length(code), *reversed(self.hidden)]
        stages = [nn.Sequential(nn.Linear(a, b), build_activation(self.activation)) for a, b in pairwise(widths)]
        stages.append(nn.Sequential(nn.Linear(widths[-1], spec.num_values), vector_to_sample(spec)))
        return nn.Sequential(*stages)
