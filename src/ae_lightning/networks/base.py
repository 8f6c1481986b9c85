"""What a network is: a recipe for an encoder and a decoder that know nothing of losses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from ae_lightning.errors import ConfigError
from ae_lightning.parts import Recipe
from ae_lightning.spec import DataSpec

Shape = tuple[int, int, int]
"""Channels, height and width of one image."""


@dataclass(frozen=True)
class CodeMap:
    """A code that keeps places: a map (channels, h, w), whose height and width are the network's last layer's.

    Attributes:
        channels: Of the map.
    """

    channels: int


Code = int | CodeMap
"""What an encoder makes of a sample: a vector of so many numbers, or a map."""


class Network(Recipe, ABC):
    """A recipe: hyperparameters, and how to build an encoder and a decoder from them.

    Both are sequences of stages; decoder stage ``n − 1 − i`` undoes encoder stage ``i``. A recipe asks
    nothing about what the encoder's outputs mean: a variational model wants ``2 · latent_dim`` of them. Where
    convolutions end in a map, a 1 × 1 convolution takes the place of the affine map to the code, and of the one back.

    Attributes:
        is_linear: Whether the network is an affine map of the values each way, so that its output needs
            no activation to be compared with PCA.
    """

    is_linear: ClassVar[bool] = False

    @abstractmethod
    def build_encoder(self, spec: DataSpec, code: Code) -> nn.Sequential:
        """Build what makes codes of samples (B, *spec.shape).

        Args:
            spec: What a sample is.
            code: What each sample becomes.

        Raises:
            ConfigError: If the network cannot be built for such samples, or has no maps and is asked for one.
        """

    @abstractmethod
    def build_decoder(self, code: Code, spec: DataSpec) -> nn.Sequential:
        """Build what makes samples (B, *spec.shape) of codes, before any output activation.

        Args:
            code: What is decoded.
            spec: What a sample is.

        Raises:
            ConfigError: If the network cannot be built for such samples, or has no maps and is asked to take one.
        """

    def vector_length(self, code: Code) -> int:
        """Return the length of a code that is a vector.

        Raises:
            ConfigError: If it is a map.
        """
        if isinstance(code, CodeMap):
            raise ConfigError(
                f"model.network: {type(self).__name__} has no maps; Conv, ResNet, Unpool and Backbone give them"
            )
        return code
