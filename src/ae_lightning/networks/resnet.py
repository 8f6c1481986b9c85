"""`ResNet`: residual blocks, mirrored."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from ae_lightning.checks import require_at_least
from ae_lightning.networks.base import Code, Network, Shape
from ae_lightning.networks.layers import (
    Upsample,
    build_activation,
    code_to_map,
    map_to_code,
    require_filters,
)
from ae_lightning.spec import DataSpec


class ResidualBlock(nn.Module):
    """Two 3 × 3 convolutions beside a shortcut (He et al. 2016, figure 2).

    Args:
        channels: Of input and output.
        activation: Of the block's middle and end.
        batch_norm: Normalise after each convolution.
    """

    def __init__(self, channels: int, activation: str, batch_norm: bool) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            *_convolution(channels, channels, batch_norm),
            build_activation(activation),
            *_convolution(channels, channels, batch_norm),
        )
        self.activation = build_activation(activation)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Add the residual to the shortcut."""
        activated: Tensor = self.activation(x_BCHW + self.residual(x_BCHW))
        return activated


def _convolution(num_inputs: int, num_outputs: int, batch_norm: bool, stride: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(num_inputs, num_outputs, 3, stride, padding=1, bias=not batch_norm)
    return [convolution, nn.BatchNorm2d(num_outputs)] if batch_norm else [convolution]


class ResNet(Network):
    """Residual stages that halve the side, and their mirror (Eftimiades, future directions; He et al. 2016).

    Each encoder stage is a strided 3 × 3 convolution and `depth` residual blocks; each decoder stage upsamples to the
    side before and has as many blocks.

    Args:
        widths: Channels of each stage of the encoder; the decoder's are the same in reverse.
        depth: Residual blocks a stage.
        activation: `relu`, `leaky_relu`, `tanh` or `sigmoid`.
        batch_norm: Normalise each convolution's output over the batch.

    Raises:
        ConfigError: If a number is below 1 or the activation unknown.
    """

    def __init__(
        self,
        widths: Sequence[int] = (32, 64, 128),
        depth: int = 1,
        activation: str = "relu",
        batch_norm: bool = True,
    ) -> None:
        self.widths = require_filters(widths, "model.network.widths")
        self.depth = require_at_least("model.network.depth", depth)
        self.activation = activation
        self.batch_norm = batch_norm
        build_activation(activation)

    def build_encoder(self, spec: DataSpec, code: Code) -> nn.Sequential:
        """Build the stages, and what makes the code."""
        shapes = self._layer_shapes(spec.image_shape(type(self).__name__))
        stages = [
            nn.Sequential(
                *_convolution(before[0], after[0], self.batch_norm, stride=2),
                build_activation(self.activation),
                *self._blocks(after[0]),
            )
            for before, after in pairwise(shapes)
        ]
        return nn.Sequential(*stages, map_to_code(shapes[-1], code))

    def build_decoder(self, code: Code, spec: DataSpec) -> nn.Sequential:
        """Build what undoes the code, and the mirrored stages."""
        shapes = self._layer_shapes(spec.image_shape(type(self).__name__))
        stages = [code_to_map(code, shapes[-1])]
        for after, before in pairwise(reversed(shapes)):
            is_last = before is shapes[0]
            stage = nn.Sequential(*self._blocks(after[0]), Upsample(before[1], before[2]))
            stage.extend(_convolution(after[0], before[0], self.batch_norm and not is_last))
            if not is_last:
                stage.append(build_activation(self.activation))
            stages.append(stage)
        return nn.Sequential(*stages)

    def last_shape(self, spec: DataSpec) -> Shape:
        """Return the shape of the maps next to the code."""
        return self._layer_shapes(spec.image_shape(type(self).__name__))[-1]

    def _blocks(self, channels: int) -> list[ResidualBlock]:
        return [ResidualBlock(channels, self.activation, self.batch_norm) for _ in range(self.depth)]

    def _layer_shapes(self, input_shape: Shape) -> list[Shape]:
        """Return the image's shape and the shape after each stage: a side becomes ⌈side / 2⌉."""
        shapes = [input_shape]
        for width in self.widths:
            shapes.append((width, -(-shapes[-1][1] // 2), -(-shapes[-1][2] // 2)))
        return shapes
