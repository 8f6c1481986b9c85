"""What a network is: a recipe for an encoder and a decoder that know nothing of losses."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from typing import Any, ClassVar

from torch import nn

from ae_lightning.spec import DataSpec

Shape = tuple[int, int, int]
"""Channels, height and width of one image."""


class Network(ABC):
    """A recipe: hyperparameters, and how to build an encoder and a decoder from them.

    Both are sequences of stages; decoder stage ``n − 1 − i`` undoes encoder stage ``i``. A recipe asks
    nothing about what the encoder's outputs mean: a variational model wants ``2 · latent_dim`` of them.

    Attributes:
        is_linear: Whether the network is an affine map of the values each way, so that its output needs
            no activation to be compared with PCA.
    """

    is_linear: ClassVar[bool] = False

    @abstractmethod
    def build_encoder(self, spec: DataSpec, num_outputs: int) -> nn.Sequential:
        """Build the map from samples (B, *spec.shape) to (B, num_outputs).

        Args:
            spec: What a sample is.
            num_outputs: Length of the vector that each sample becomes.

        Raises:
            ConfigError: If the network cannot be built for such samples.
        """

    @abstractmethod
    def build_decoder(self, latent_dim: int, spec: DataSpec) -> nn.Sequential:
        """Build the map from codes (B, latent_dim) to samples (B, *spec.shape), before any output activation.

        Args:
            latent_dim: Length of a code.
            spec: What a sample is.

        Raises:
            ConfigError: If the network cannot be built for such samples.
        """

    def hyperparameters(self) -> dict[str, Any]:
        """Return the constructor's arguments, as plain values."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def __repr__(self) -> str:
        """Show the recipe as the call that makes it."""
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.hyperparameters().items())
        return f"{type(self).__name__}({arguments})"
