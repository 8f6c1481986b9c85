"""From a filter's activation back to the pixels that it saw (Zeiler & Fergus 2014, section 2.1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (the field's own name for it)

from ae_lightning.networks.layers import ACTIVATIONS, Crop, running_statistics
from ae_lightning.networks.unpool import SwitchedMaxPool

_ACTIVATIONS = tuple(ACTIVATIONS.values())
_SAME_PLACE = (Crop, nn.BatchNorm2d, *_ACTIVATIONS)


@dataclass(frozen=True)
class ConvolutionLayer:
    """A convolution of an encoder.

    Attributes:
        convolution: Its weights have the shape (F, C, k, k).
        path: What an image goes through up to the layer's activations, in order.
    """

    convolution: nn.Conv2d
    path: tuple[nn.Module, ...]

    def activations(self, x_BCHW: Tensor) -> Tensor:
        """Return the activations of images, shape (B, F, H', W')."""
        for module in self.path:
            x_BCHW = module(x_BCHW)
        return x_BCHW


def convolution_layers(encoder: nn.Module, example_BCHW: Tensor) -> list[ConvolutionLayer]:
    """Find the convolutions that lie one behind the other between the image and the code.

    Of an encoder that is no such chain, as a torchvision trunk is none, that is the first convolution alone.

    Args:
        encoder: Of any network.
        example_BCHW: An image, which shows in what order an encoder that is no chain calls its layers.

    Returns:
        The layers, from the image on; none where the network has no convolutions.
    """
    chain = list(_chain(encoder))
    places = [place for place, module in enumerate(chain) if isinstance(module, nn.Conv2d)]
    if not places:
        return _first_in_a_trunk(chain, example_BCHW)
    return [ConvolutionLayer(chain[place], tuple(chain[: _end(chain, place)])) for place in places]  # type: ignore[arg-type]


def project_back(layer: ConvolutionLayer, x_BCHW: Tensor, filter_number: int) -> Tensor:
    """Carry each image's strongest activation of a filter back to the pixels, all other activations at 0.

    Convolutions are transposed, pooling undone where its switches say, and the signal rectified at each activation
    function; batch norm's scale, crops and residual blocks are transposed by their gradient.

    Args:
        layer: Of a network in eval mode.
        x_BCHW: Images.
        filter_number: The filter, from 0.

    Returns:
        What the filter saw, shape (B, C, H, W): 0 outside its receptive field.
    """
    # Lightning judges in inference mode, whose tensors no gradient can flow through.
    with torch.inference_mode(False), torch.no_grad():
        seen, given = x_BCHW.clone(), []
        for module in layer.path:
            given.append(seen)
            seen = module(seen)
        signal = _strongest_alone(seen, filter_number)
        for module, before in zip(reversed(layer.path), reversed(given), strict=True):
            signal = _back(module, before, signal)
        return signal


def _chain(module: nn.Module) -> Iterator[nn.Module]:
    if isinstance(module, nn.Sequential):
        for child in module:
            yield from _chain(child)
    else:
        yield module


def _end(chain: list[nn.Module], place: int) -> int:
    """Return the place behind a convolution and what acts on its output position by position."""
    end = place + 1
    while end < len(chain) and isinstance(chain[end], _SAME_PLACE):
        end += 1
    return end


def _first_in_a_trunk(chain: list[nn.Module], x_BCHW: Tensor) -> list[ConvolutionLayer]:
    for place, trunk in enumerate(chain):
        inner = [module for module in trunk.modules() if isinstance(module, nn.Conv2d)]
        if inner:
            seen = ConvolutionLayer(inner[0], tuple(chain[:place])).activations(x_BCHW)
            first = _first_called(trunk, inner, seen)
            return [ConvolutionLayer(first, (*chain[:place], first))] if first is not None else []
    return []


def _first_called(trunk: nn.Module, convolutions: list[nn.Conv2d], x_BCHW: Tensor) -> nn.Conv2d | None:
    """Return the convolution that a trunk calls first, if it sees the trunk's own input."""
    called: list[tuple[nn.Conv2d, bool]] = []

    def note(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(module, nn.Conv2d)
        called.append((module, inputs[0] is x_BCHW))

    handles = [module.register_forward_pre_hook(note) for module in convolutions]
    try:
        with torch.no_grad(), running_statistics(trunk):
            trunk(x_BCHW)
    finally:
        for handle in handles:
            handle.remove()
    return called[0][0] if called and called[0][1] else None


def _strongest_alone(activations_BFHW: Tensor, filter_number: int) -> Tensor:
    maps = activations_BFHW[:, filter_number].flatten(1)
    values, places = maps.max(dim=1, keepdim=True)
    signal = torch.zeros_like(activations_BFHW)
    signal[:, filter_number] = torch.zeros_like(maps).scatter(1, places, values).view_as(signal[:, filter_number])
    return signal


def _back(module: nn.Module, before: Tensor, signal: Tensor) -> Tensor:
    if isinstance(module, SwitchedMaxPool):
        return module.unpool(signal, *before.shape[2:])
    if isinstance(module, _ACTIVATIONS):
        return F.relu(signal)
    with torch.enable_grad():
        before = before.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(module(before), before, signal)
    return gradient
