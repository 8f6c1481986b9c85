"""Small layers that several networks share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (the field's own name for it)

from ae_lightning.checks import require_at_least
from ae_lightning.errors import ConfigError, unknown_name
from ae_lightning.networks.base import Code, CodeMap, Shape
from ae_lightning.spec import DataSpec

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}


def build_activation(name: str) -> nn.Module:
    """Build the activation of that name.

    Raises:
        ConfigError: If there is none.
    """
    if name not in ACTIVATIONS:
        raise ConfigError(unknown_name("model.network.activation", name, ACTIVATIONS))
    return ACTIVATIONS[name]()


def require_filters(filters: Sequence[int], key: str = "model.network.filters") -> list[int]:
    """Return the channels of the layers as a list, or say what is wrong with them.

    Raises:
        ConfigError: If there are none, or one is below 1.
    """
    if not filters:
        raise ConfigError(f"{key}: an empty list is not allowed; give one number a layer")
    return [require_at_least(key, channels) for channels in filters]


class ImageToVector(nn.Module):
    """(B, C, H, W) to (B, H·W·C): a view, not a copy, of images in `channels_last` memory order."""

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Flatten with the channels innermost."""
        return x_BCHW.permute(0, 2, 3, 1).flatten(1)


class VectorToImage(nn.Module):
    """(B, H·W·C) to (B, C, H, W) in `channels_last` memory order: undoes `ImageToVector` without a copy.

    Args:
        shape: Channels, height and width.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, h_BN: Tensor) -> Tensor:
        """Unflatten with the channels innermost."""
        channels, height, width = self.shape
        return h_BN.view(-1, height, width, channels).permute(0, 3, 1, 2)

    def extra_repr(self) -> str:
        """Show the shape in the model's summary."""
        return f"shape={self.shape}"


def sample_to_vector(spec: DataSpec) -> nn.Module:
    """Build what flattens samples (B, *spec.shape) to (B, N): images with the channels innermost."""
    return ImageToVector() if spec.kind == "image" else nn.Flatten()


def vector_to_sample(spec: DataSpec) -> nn.Module:
    """Build what undoes `sample_to_vector`."""
    if spec.kind != "image":
        return nn.Unflatten(1, spec.shape)
    channels, height, width = spec.shape
    return VectorToImage((channels, height, width))


def map_to_code(shape: Shape, code: Code) -> nn.Sequential:
    """Build the stage without activation from a network's last maps (B, *shape) to the code."""
    if isinstance(code, CodeMap):
        return nn.Sequential(nn.Conv2d(shape[0], code.channels, 1))
    return nn.Sequential(ImageToVector(), nn.Linear(prod(shape), code))


def code_to_map(code: Code, shape: Shape) -> nn.Sequential:
    """Build the stage without activation from the code to maps (B, *shape): undoes `map_to_code`."""
    if isinstance(code, CodeMap):
        return nn.Sequential(nn.Conv2d(code.channels, shape[0], 1))
    return nn.Sequential(nn.Linear(code, prod(shape)), VectorToImage(shape))


class Crop(nn.Module):
    """Keep `height` × `width` pixels from a given first row and column on.

    Args:
        top: First row kept.
        left: First column kept.
        height: Rows kept.
        width: Columns kept.
    """

    def __init__(self, top: int, left: int, height: int, width: int) -> None:
        super().__init__()
        self.top, self.left, self.height, self.width = top, left, height, width

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Crop, keeping the memory order of the input."""
        cropped = x_BCHW[:, :, self.top : self.top + self.height, self.left : self.left + self.width]
        return cropped.contiguous(memory_format=torch.channels_last)

    def extra_repr(self) -> str:
        """Show the window in the model's summary."""
        return f"top={self.top}, left={self.left}, height={self.height}, width={self.width}"


class Upsample(nn.Module):
    """Enlarge maps to a given size by repeating pixels.

    Args:
        height: Rows wanted.
        width: Columns wanted.
    """

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.size = (height, width)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Enlarge, keeping the memory order of the input."""
        return F.interpolate(x_BCHW, self.size, mode="nearest")

    def extra_repr(self) -> str:
        """Show the size in the model's summary."""
        return f"size={self.size}"


@contextmanager
def running_statistics(module: nn.Module) -> Iterator[None]:
    """Let batch norm layers use their running statistics, and leave them as they are."""
    layers = [layer for layer in module.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]
    trained = [layer for layer in layers if layer.training]
    for layer in trained:
        layer.eval()
    try:
        yield
    finally:
        for layer in trained:
            layer.train()
