"""`Conv`: strided convolutions mirrored by transposed ones; the base model of the workbench."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from torch import nn

from ae_lightning.checks import require_at_least
from ae_lightning.errors import ConfigError
from ae_lightning.networks.base import Code, Network, Shape
from ae_lightning.networks.layers import (
    Crop,
    build_activation,
    code_to_map,
    map_to_code,
    require_filters,
)
from ae_lightning.networks.transposed_convolution import TransposedConvolution
from ae_lightning.spec import DataSpec


@dataclass(frozen=True)
class SamePadding:
    """'Same' padding of one side: `size` pixels become ⌈size / stride⌉, and the mirror gives `size` back.

    With kernel ≥ stride every position of the full transposed convolution is reached by at least one input,
    and the window given back lies within it: no pixel depends on the bias alone.

    Attributes:
        size: Pixels of the side before the convolution.
        kernel_size: Pixels of the kernel.
        stride: Pixels between two applications of the kernel.
    """

    size: int
    kernel_size: int
    stride: int

    @property
    def output(self) -> int:
        """Pixels of the side after the convolution."""
        return -(-self.size // self.stride)

    @property
    def total(self) -> int:
        """Pixels of padding on both ends together."""
        return (self.output - 1) * self.stride + self.kernel_size - self.size

    @property
    def convolution(self) -> int:
        """Padding of each end in the convolution: rounded up, the surplus pixel is dropped after it."""
        return -(-self.total // 2)

    @property
    def convolution_surplus(self) -> int:
        """Pixels to drop after the convolution; only a stride of 1 leaves one."""
        return self.total % 2 if self.stride == 1 else 0

    @property
    def transposed(self) -> int:
        """Padding of each end in the transposed convolution."""
        return self.total // 2 if self.stride == 1 else self.convolution

    @property
    def transposed_output_padding(self) -> int:
        """Pixels that an odd padding, rounded up, cut off and that are computed after all."""
        return 0 if self.stride == 1 else self.total % 2

    @property
    def transposed_surplus(self) -> int:
        """Pixels to drop at the start of the transposed convolution's output."""
        return self.total % 2 if self.stride == 1 else 0


class Conv(Network):
    """Strided convolutions, an affine map to the code, and the mirror of both (Eftimiades's base model).

    The maps on both sides of the bottleneck have no activation, as there: with a ReLU after the decoder's,
    training through a sigmoid dies at small codes. `activate_dense` has it all the same, which suits larger codes
    (docs/base_model.md). Padding is 'same': a side becomes ⌈side / stride⌉ in each layer, and the decoder gives
    back the input's height and width exactly, odd sides too.

    Args:
        filters: Channels after each convolution of the encoder; the decoder's are the same in reverse.
        kernel_size: Side of every kernel in pixels, at least the stride.
        stride: Pixels between two applications of a kernel.
        activation: `relu`, `leaky_relu`, `tanh` or `sigmoid`.
        batch_norm: Normalise each convolution's output over the batch, before the activation.
        activate_dense: Apply the activation to the output of the decoder's affine map, too.

    Raises:
        ConfigError: If a number is below 1, the kernel smaller than the stride, or the activation unknown.
    """

    def __init__(
        self,
        filters: Sequence[int] = (32, 64),
        kernel_size: int = 4,
        stride: int = 2,
        activation: str = "relu",
        batch_norm: bool = False,
        activate_dense: bool = False,
    ) -> None:
        self.filters = require_filters(filters)
        self.kernel_size = require_at_least("model.network.kernel_size", kernel_size)
        self.stride = require_at_least("model.network.stride", stride)
        self.activation = activation
        self.batch_norm = batch_norm
        self.activate_dense = activate_dense
        if kernel_size < stride:
            raise ConfigError(
                f"model.network.kernel_size: {kernel_size} is smaller than the stride {stride}, "
                "which would leave pixels that no code reaches; use a kernel of at least the stride"
            )
        build_activation(activation)

    def build_encoder(self, spec: DataSpec, code: Code) -> nn.Sequential:
        """Build a stage a convolution, and what makes the code."""
        shapes = self._layer_shapes(spec.image_shape(type(self).__name__))
        stages = [self._convolution(before, after) for before, after in pairwise(shapes)]
        stages.append(map_to_code(shapes[-1], code))
        return nn.Sequential(*stages)

    def build_decoder(self, code: Code, spec: DataSpec) -> nn.Sequential:
        """Build what undoes the code, and a stage a transposed convolution."""
        shapes = self._layer_shapes(spec.image_shape(type(self).__name__))
        stages = [code_to_map(code, shapes[-1])]
        if self.activate_dense:
            stages[0].append(build_activation(self.activation))
        for after, before in pairwise(reversed(shapes)):
            stages.append(self._transposed_convolution(after, before, is_output=before is shapes[0]))
        return nn.Sequential(*stages)

    def _layer_shapes(self, input_shape: Shape) -> list[Shape]:
        """Return the image's shape and the shape after each convolution."""
        _, height, width = input_shape
        if self.kernel_size > min(height, width):
            raise ConfigError(
                f"model.network.kernel_size: {self.kernel_size} is larger than the image ({height} × {width})"
            )
        shapes = [input_shape]
        for layer, channels in enumerate(self.filters, start=1):
            _, height, width = shapes[-1]
            if self.stride > 1 and max(height, width) == 1:
                raise ConfigError(
                    f"model.network.filters: layer {layer} of {len(self.filters)} has one pixel left to stride "
                    f"over; {input_shape[1]} × {input_shape[2]} images allow {layer - 1} layers of stride {self.stride}"
                )
            padding = self._padding(height), self._padding(width)
            shapes.append((channels, padding[0].output, padding[1].output))
        return shapes

    def _padding(self, size: int) -> SamePadding:
        return SamePadding(size, self.kernel_size, self.stride)

    def _convolution(self, before: Shape, after: Shape) -> nn.Sequential:
        height, width = self._padding(before[1]), self._padding(before[2])
        stage = nn.Sequential(
            nn.Conv2d(
                before[0],
                after[0],
                self.kernel_size,
                self.stride,
                padding=(height.convolution, width.convolution),
                bias=not self.batch_norm,
            )
        )
        if height.convolution_surplus or width.convolution_surplus:
            stage.append(Crop(0, 0, after[1], after[2]))
        return self._finish(stage, after[0])

    def _transposed_convolution(self, after: Shape, before: Shape, *, is_output: bool) -> nn.Sequential:
        height, width = self._padding(before[1]), self._padding(before[2])
        stage = nn.Sequential(
            TransposedConvolution(
                after[0],
                before[0],
                self.kernel_size,
                self.stride,
                padding=(height.transposed, width.transposed),
                output_padding=(height.transposed_output_padding, width.transposed_output_padding),
                bias=is_output or not self.batch_norm,
            )
        )
        if height.transposed_surplus or width.transposed_surplus:
            stage.append(Crop(height.transposed_surplus, width.transposed_surplus, before[1], before[2]))
        return stage if is_output else self._finish(stage, before[0])

    def _finish(self, stage: nn.Sequential, channels: int) -> nn.Sequential:
        if self.batch_norm:
            stage.append(nn.BatchNorm2d(channels))
        stage.append(build_activation(self.activation))
        return stage
