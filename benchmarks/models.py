"""The models that all contenders train, as modules that know neither Lightning nor the package's training.

Shape suffixes: B batch, C channels, H height, W width, L latent_dim.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ae_lightning.networks import MLP, Backbone, Conv, Network, ResNet, Shape
from ae_lightning.spec import DataSpec
from benchmarks.arguments import LATENT_DIM
from benchmarks.torch_layers import torch_layers

NETWORKS: dict[str, Network] = {
    "vanilla": Conv(),
    "vae": Conv(),
    "mlp": MLP(),
    "resnet": ResNet(),
    "backbone": Backbone(),
}
"""The network of each model."""

FIT_OPTIONS: dict[str, tuple[str, ...]] = {
    "vanilla": ("--model", "VanillaAE"),
    "vae": ("--model", "VAE"),
    "mlp": ("--model", "VanillaAE", "--model.network", "MLP"),
    "resnet": ("--model", "VanillaAE", "--model.network", "ResNet"),
    "backbone": ("--model", "VanillaAE", "--model.network", "Backbone"),
}
"""The same models as `fit` takes them."""


class LoopModel(nn.Module):
    """Encoder, decoder and the loss of a batch: `VanillaAE`'s, or `VAE`'s where the encoder gives two outputs a code.

    Args:
        encoder: (B, C, H, W) to (B, L), or to (B, 2·L): μ and log σ².
        decoder: (B, L) to (B, C, H, W), before its sigmoid.
        is_variational: Whether it is a `VAE`.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, is_variational: bool) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.is_variational = is_variational

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the mean loss of images in [0, 1], shape ()."""
        z_BL = self.encoder(x_BCHW).float()
        kl_B = torch.zeros(())
        if self.is_variational:
            mean_BL, log_variance_BL = z_BL.chunk(2, dim=1)
            z_BL = mean_BL + (0.5 * log_variance_BL).exp() * torch.randn_like(mean_BL)
            kl_B = 0.5 * (mean_BL.square() + log_variance_BL.exp() - 1 - log_variance_BL).sum(dim=1)
        y_BCHW = self.decoder(z_BL).float().sigmoid()
        loss: Tensor = ((x_BCHW - y_BCHW).square().flatten(1).sum(dim=1) + kl_B).mean()
        return loss


def build_model(name: str, input_shape: Shape, *, own_layers: bool) -> LoopModel:
    """Build a model.

    Args:
        name: One of `NETWORKS`.
        input_shape: Channels, height and width of the images.
        own_layers: Whether convolutional models use the package's layers, or those of PyTorch.
    """
    is_variational = name == "vae"
    num_outputs = LATENT_DIM * (2 if is_variational else 1)
    network = NETWORKS[name]
    if isinstance(network, Conv) and not own_layers:
        return LoopModel(*torch_layers(input_shape, num_outputs), is_variational)
    encoder = network.build_encoder(DataSpec(input_shape), num_outputs)
    return LoopModel(encoder, network.build_decoder(LATENT_DIM, DataSpec(input_shape)), is_variational)
