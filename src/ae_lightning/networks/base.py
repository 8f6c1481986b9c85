"""What a network is: a recipe for an encoder and a decoder that know nothing of losses."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from typing import Any, ClassVar

from torch import nn

Shape = tuple[int, int, int]
"""Channels, height and width of one image."""


class Network(ABC):
    """A recipe: hyperparameters, and how to build an encoder and a decoder from them.

    Both are sequences of stages; decoder stage ``n − 1 − i`` undoes encoder stage ``i``. A recipe asks
    nothing about what the encoder's outputs mean: a variational model wants ``2 · latent_dim`` of them.

    Attributes:
        is_linear: Whether the network is an affine map of the pixels each way, so that its output needs
            no activation to be compared with PCA.
    """

    is_linear: ClassVar[bool] = False

    @abstractmethod
    def build_encoder(self, input_shape: Shape, num_outputs: int) -> nn.Sequential:
        """Build the map from images (B, C, H, W) to (B, num_outputs).

        Args:
            input_shape: Channels, height and width of the images.
            num_outputs: Length of the vector that each image becomes.

        Raises:
            ConfigError: If the network cannot be built for images of this shape.
        """

    @abstractmethod
    def build_decoder(self, latent_dim: int, output_shape: Shape) -> nn.Sequential:
        """Build the map from codes (B, latent_dim) to (B, C, H, W), before any output activation.

        Args:
            latent_dim: Length of a code.
            output_shape: Channels, height and width of the images to give back.

        Raises:
            ConfigError: If the network cannot be built for images of this shape.
        """

    def hyperparameters(self) -> dict[str, Any]:
        """Return the constructor's arguments, as plain values."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def __repr__(self) -> str:
        """Show the recipe as the call that makes it."""
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.hyperparameters().items())
        return f"{type(self).__name__}({arguments})"
