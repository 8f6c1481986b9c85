"""`Linear`: one affine map each way; under MSE it must span the PCA subspace."""

from __future__ import annotations

from typing import ClassVar

from torch import nn

from ae_lightning.networks.base import Network, Shape
from ae_lightning.networks.layers import image_to_outputs, inputs_to_image


class Linear(Network):
    """One affine map to the code and one back (Baldi & Hornik 1989: its optimum is PCA)."""

    is_linear: ClassVar[bool] = True

    def build_encoder(self, input_shape: Shape, num_outputs: int) -> nn.Sequential:
        """Build one stage: flatten, affine map."""
        return nn.Sequential(image_to_outputs(input_shape, num_outputs))

    def build_decoder(self, latent_dim: int, output_shape: Shape) -> nn.Sequential:
        """Build one stage: affine map, unflatten."""
        return nn.Sequential(inputs_to_image(latent_dim, output_shape))
