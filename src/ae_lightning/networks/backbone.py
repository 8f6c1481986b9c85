"""`Backbone`: a torchvision classification trunk as the encoder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (the field's own name for it)

from ae_lightning.errors import ConfigError, unknown_name
from ae_lightning.networks.base import Code, CodeMap, Network
from ae_lightning.networks.layers import Upsample
from ae_lightning.networks.resnet import ResNet
from ae_lightning.spec import DataSpec

MIN_SIDE = 32
"""Smaller images are enlarged to this side at least: most trunks halve the side five times."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_weights_follow = ContextVar("weights_follow", default=False)


@contextmanager
def weights_follow() -> Iterator[None]:
    """Build trunks as for their pretrained weights, but without these: a checkpoint's are put into them next."""
    before = _weights_follow.set(True)
    try:
        yield
    finally:
        _weights_follow.reset(before)


class TrunkInput(nn.Module):
    """Makes images what a trunk for colour photographs expects: three channels, and a size that it takes.

    Args:
        channels: Of the images: 1 is repeated, 3 are taken as they are, others are mixed by a 1 × 1 convolution.
        size: Height and width that images are resized to; None leaves them as they are.
        normalise: Subtract ImageNet's mean and divide by its standard deviation, as pretrained weights expect.
    """

    def __init__(self, channels: int, size: tuple[int, int] | None, normalise: bool) -> None:
        super().__init__()
        self.size = size
        self.mix = nn.Identity() if channels in (1, 3) else nn.Conv2d(channels, 3, 1)
        mean, std = (IMAGENET_MEAN, IMAGENET_STD) if normalise else ((0.0,) * 3, (1.0,) * 3)
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Make three channels of what there are, resize, normalise."""
        x_BCHW = self.mix(x_BCHW).expand(-1, 3, -1, -1)
        if self.size is not None:
            x_BCHW = F.interpolate(x_BCHW, self.size, mode="bilinear", antialias=False)
        return (x_BCHW - self.mean) / self.std


class Backbone(Network):
    """A torchvision trunk as the encoder, its last layer replaced; residual stages as the decoder.

    Eftimiades, future directions ("mainstream image processing networks"). Grey images are repeated over three
    channels, and small ones enlarged to the trunk's smallest side, 32 pixels at least, so that any trunk and its
    pretrained weights apply. A trunk that takes one size alone, as `vit_b_16` does, has all images resized to it.
    Auxiliary classifiers are left out, and a trunk's dropout stays.

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

    def build_encoder(self, spec: DataSpec, code: Code) -> nn.Sequential:
        """Build the trunk as one stage; for a map, without what pools and classifies."""
        channels, height, width = spec.image_shape("Backbone")
        trunk = self._build_trunk()
        drop_auxiliary_classifiers(trunk)
        if not isinstance(code, CodeMap):
            replace_last_layer(trunk, code)
        size = self._input_size(trunk, height, width)
        resized = TrunkInput(channels, size if size != (height, width) else None, self.weights is not None)
        if not isinstance(code, CodeMap):
            return nn.Sequential(nn.Sequential(resized, trunk))
        layers = convolutional_layers(trunk)
        num_features = channels_of_maps(layers, size)
        if num_features is None:
            raise ConfigError(
                f"model.network.name: {self.name} has no maps; a trunk of convolutions, as resnet18, does"
            )
        return nn.Sequential(nn.Sequential(resized, layers, nn.Conv2d(num_features, code.channels, 1)))

    def build_decoder(self, code: Code, spec: DataSpec) -> nn.Sequential:
        """Build the mirrored residual stages as one stage, which undoes the trunk."""
        decoder = self._decoder.build_decoder(code, spec)
        if isinstance(code, CodeMap):
            # The trunk's maps have another size than those that the mirror begins with.
            _, height, width = self._decoder.last_shape(spec)
            decoder.insert(0, Upsample(height, width))
        return nn.Sequential(decoder)

    def _build_trunk(self) -> nn.Module:
        from torchvision.models import get_model  # type: ignore[import-untyped]

        if self.weights is None or _weights_follow.get():
            trunk: nn.Module = get_model(self.name, **self._settings_without_weights())
            return trunk
        try:
            trunk = get_model(self.name, weights=self.weights)
        except (OSError, RuntimeError) as error:
            raise ConfigError(
                f"model.network.weights: {self.weights} of {self.name} cannot be downloaded ({error}); put the file "
                f"into {torch.hub.get_dir()}/checkpoints, or leave weights at null"
            ) from error
        return trunk

    def _settings_without_weights(self) -> dict[str, Any]:
        """Return what torchvision sets by itself where it loads weights, for trunks that are built without."""
        if self.name in ("googlenet", "inception_v3"):
            # They warn unless they are told how to begin.
            return {"init_weights": self.weights is None, "transform_input": self.weights is not None}
        if self.weights is None:
            return {}
        side = self._smallest_side()
        if self.name.startswith("vit_"):
            return {"image_size": side}
        return {"input_size": (side, side)} if self.name.startswith("maxvit_") else {}

    def _input_size(self, trunk: nn.Module, height: int, width: int) -> tuple[int, int]:
        """Return the size of the trunk's input: the image's own shape if the trunk takes it, else its own square."""
        side = max(MIN_SIDE, self._smallest_side())
        scale = max(1.0, side / min(height, width))
        sizes = [(round(height * scale), round(width * scale)), (side, side)]
        reasons = [why_refused(trunk, size) for size in sizes]
        if None not in reasons:
            raise ConfigError(
                f"model.network.name: {self.name} takes no images of {height} × {width} pixels ({reasons[0]})"
            )
        return sizes[reasons.index(None)]

    def _smallest_side(self) -> int:
        from torchvision.models import get_model_weights

        entries = get_model_weights(self.name)
        chosen = entries if self.weights is None else [entries[self.weights]]
        smallest: int = min(max(entry.meta["min_size"]) for entry in chosen)
        return smallest


def why_refused(trunk: nn.Module, size: tuple[int, int]) -> str | None:
    """Return the first line of what a trunk says against images of a size, None where it takes them."""
    was_training = trunk.training
    try:
        with torch.no_grad():
            trunk.eval()(torch.zeros(1, 3, *size))
    except (RuntimeError, ValueError, AssertionError) as error:
        return str(error).partition("\n")[0] or type(error).__name__
    finally:
        trunk.train(was_training)
    return None


def drop_auxiliary_classifiers(trunk: nn.Module) -> None:
    """Take out the classifiers beside the last one, which training alone uses (GoogLeNet's, Inception's)."""
    for name in ("aux1", "aux2", "AuxLogits"):
        if hasattr(trunk, name):
            trunk.aux_logits = False  # type: ignore[assignment]
            setattr(trunk, name, None)


def convolutional_layers(trunk: nn.Module) -> nn.Sequential:
    """Return a classifier's layers up to its pooling, which ends what has places."""
    kept = nn.Sequential()
    for name, layer in trunk.named_children():
        if isinstance(layer, nn.AdaptiveAvgPool2d | nn.Linear) or name == "classifier":
            break
        kept.add_module(name, layer)
    return kept


def channels_of_maps(layers: nn.Module, size: tuple[int, int]) -> int | None:
    """Return how many channels layers make of photographs of a size; None where they make no maps of them."""
    was_training = layers.training
    try:
        with torch.no_grad():
            maps = layers.eval()(torch.zeros(1, 3, *size))
    except (RuntimeError, ValueError, NotImplementedError, TypeError, AssertionError):
        return None
    finally:
        layers.train(was_training)
    return maps.shape[1] if isinstance(maps, Tensor) and maps.ndim == 4 else None


def replace_last_layer(trunk: nn.Module, num_outputs: int) -> None:
    """Let a classifier give `num_outputs` numbers instead of its logits, of either sign."""
    layers = [(name, layer) for name, layer in trunk.named_modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
    name, last = layers[-1]
    parent = trunk.get_submodule(name.rpartition(".")[0])
    if isinstance(last, nn.Linear):
        new: nn.Module = nn.Linear(last.in_features, num_outputs)
    else:
        new = nn.Conv2d(last.in_channels, num_outputs, 1)
        for after, layer in list(parent.named_children()):
            if isinstance(layer, nn.ReLU):  # SqueezeNet's classifier ends in one
                setattr(parent, after, nn.Identity())
    setattr(parent, name.rpartition(".")[2], new)
