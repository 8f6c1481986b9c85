"""`Unpool`: convolutions and max-pooling, mirrored by upsampling and convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from ae_lightning.checks import require_at_least
from ae_lightning.errors import ConfigError
from ae_lightning.networks.base import Code, Network, Shape
from ae_lightning.networks.layers import (
    Upsample,
    build_activation,
    code_to_map,
    map_to_code,
    require_filters,
)
from ae_lightning.spec import DataSpec


class Unpool(Network):
    """Convolution and max-pooling; the decoder upsamples and convolves (Pourreza 2018; Zeiler & Fergus 2014).

    The places of the maxima, pooling's switches, serve the deconvolution pictures (`networks.deconvolution`); in a
    reconstruction they would carry the image around the bottleneck.

    Args:
        filters: Channels after each convolution of the encoder; the decoder's are the same in reverse.
        kernel_size: Side of every kernel in pixels.
        activation: `relu`, `leaky_relu`, `tanh` or `sigmoid`.

    Raises:
        ConfigError: If a number is below 1, or the activation unknown.
    """

    def __init__(self, filters: Sequence[int] = (32, 64), kernel_size: int = 3, activation: str = "relu") -> None:
        self.filters = require_filters(filters)
        self.kernel_size = require_at_least("model.network.kernel_size", kernel_size)
        self.activation = activation
        build_activation(activation)

    def build_encoder(self, spec: DataSpec, code: Code) -> nn.Sequential:
        """Build a stage of convolution, activation and pooling a layer, and what makes the code."""
        shapes = self._layer_shapes(spec.image_shape(type(self).__name__))
        stages = [
            nn.Sequential(
                self._convolution(before[0], after[0]),
                build_activation(self.activation),
                nn.MaxPool2d(2, ceil_mode=True),
            )
            for before, after in pairwise(shapes)
        ]
        return nn.Sequential(*stages, map_to_code(shapes[-1], code))

    def build_decoder(self, code: Code, spec: DataSpec) -> nn.Sequential:
        """Build what undoes the code, and a stage of upsampling and convolution a layer."""
        shapes = self._layer_shapes(spec.image_shape(type(self).__name__))
        stages = [code_to_map(code, shapes[-1])]
        for after, before in pairwise(reversed(shapes)):
            stage = nn.Sequential(Upsample(before[1], before[2]), self._convolution(after[0], before[0]))
            if before is not shapes[0]:
                stage.append(build_activation(self.activation))
            stages.append(stage)
        return nn.Sequential(*stages)

    def _convolution(self, num_inputs: int, num_outputs: int) -> nn.Conv2d:
        return nn.Conv2d(num_inputs, num_outputs, self.kernel_size, padding="same")

    def _layer_shapes(self, input_shape: Shape) -> list[Shape]:
        shapes = [input_shape]
        for layer, channels in enumerate(self.filters, start=1):
            _, height, width = shapes[-1]
            if max(height, width) == 1:
                raise ConfigError(
                    f"model.network.filters: layer {layer} of {len(self.filters)} has one pixel left to pool; "
                    f"{input_shape[1]} × {input_shape[2]} images allow {layer - 1} layers"
                )
            shapes.append((channels, -(-height // 2), -(-width // 2)))
        return shapes
