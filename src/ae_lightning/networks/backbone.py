"""`Backbone`: a torchvision classification trunk as the encoder."""

from __future__ import annotations

from typing import Any
from urllib.error import URLError

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (the field's own name for it)

from ae_lightning.errors import ConfigError, unknown_name
from ae_lightning.networks.base import Network, Shape
from ae_lightning.networks.resnet import ResNet

MIN_SIDE = 32
"""Smaller images are enlarged to this side: most trunks halve the side five times."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class TrunkInput(nn.Module):
    """Makes images what a trunk for colour photographs expects: three channels, sides of at least 32 pixels.

    Args:
        shape: Channels, height and width of the images.
        normalise: Subtract ImageNet's mean and divide by its standard deviation, as pretrained weights expect.
    """

    def __init__(self, shape: Shape, normalise: bool) -> None:
        super().__init__()
        channels, height, width = shape
        if channels not in (1, 3):
            raise ConfigError(f"model.network: Backbone takes images of 1 or 3 channels, not {channels}")
        scale = max(1.0, MIN_SIDE / min(height, width))
        self.size = (round(height * scale), round(width * scale)) if scale > 1 else None
        mean, std = (IMAGENET_MEAN, IMAGENET_STD) if normalise else ((0.0,) * 3, (1.0,) * 3)
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Repeat a grey channel, enlarge, normalise."""
        x_BCHW = x_BCHW.expand(-1, 3, -1, -1)
        if self.size is not None:
            x_BCHW = F.interpolate(x_BCHW, self.size, mode="bilinear", antialias=False)
        return (x_BCHW - self.mean) / self.std


class Backbone(Network):
    """A torchvision trunk as the encoder, its last layer replaced; residual stages as the decoder.

    Document 000, future directions ("mainstream image processing networks"). Grey images are repeated over three
    channels and small ones enlarged to 32 pixels, so that any trunk and its pretrained weights apply.

    Args:
        name: A classification model of torchvision, such as `resnet18`, `resnet50` or `vgg11_bn`.
        weights: Pretrained weights by torchvision's name, such as `DEFAULT` or `IMAGENET1K_V1`; downloaded where they
            are not at hand. None for random ones.
        widths: Channels of the decoder's mirrored stages, the widest next to the code.

    Raises:
        ConfigError: If the trunk or its weights are unknown or cannot be had.
    """

    def __init__(
        self, name: str = "resnet18", weights: str | None = None, widths: tuple[int, ...] = (32, 64, 128, 256)
    ) -> None:
        from torchvision import models  # type: ignore[import-untyped]

        names = models.list_models(module=models)
        if name not in names:
            raise ConfigError(unknown_name("model.network.name", name, names))
        known = ["DEFAULT", *(entry.name for entry in models.get_model_weights(name))]
        if weights is not None and weights not in known:
            raise ConfigError(unknown_name("model.network.weights", weights, known))
        self.name = name
        self.weights = weights
        self.widths = list(widths)
        self._decoder = ResNet(widths)

    def build_encoder(self, input_shape: Shape, num_outputs: int) -> nn.Sequential:
        """Build the trunk as one stage."""
        trunk = self._build_trunk()
        replace_last_layer(trunk, num_outputs)
        return nn.Sequential(nn.Sequential(TrunkInput(input_shape, self.weights is not None), trunk))

    def build_decoder(self, latent_dim: int, output_shape: Shape) -> nn.Sequential:
        """Build the mirrored residual stages as one stage, which undoes the trunk."""
        return nn.Sequential(self._decoder.build_decoder(latent_dim, output_shape))

    def _build_trunk(self) -> nn.Module:
        from torchvision.models import get_model  # type: ignore[import-untyped]

        options: dict[str, Any] = {"init_weights": True} if self.name in ("googlenet", "inception_v3") else {}
        try:
            trunk: nn.Module = get_model(self.name, weights=self.weights, **options)
        except (URLError, OSError, RuntimeError) as error:
            raise ConfigError(
                f"model.network.weights: {self.weights} of {self.name} cannot be downloaded ({error}); put the file "
                f"into {torch.hub.get_dir()}/checkpoints, or leave weights at null"
            ) from error
        return trunk


def replace_last_layer(trunk: nn.Module, num_outputs: int) -> None:
    """Let a classifier give `num_outputs` numbers instead of its logits.

    Raises:
        ConfigError: If it does not end in a linear layer or a 1 × 1 convolution.
    """
    layers = [(name, layer) for name, layer in trunk.named_modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
    name, last = layers[-1]
    parent = trunk.get_submodule(name.rpartition(".")[0])
    if isinstance(last, nn.Linear):
        new: nn.Module = nn.Linear(last.in_features, num_outputs)
    else:
        new = nn.Conv2d(last.in_channels, num_outputs, 1)
    setattr(parent, name.rpartition(".")[2], new)
