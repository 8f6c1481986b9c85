"""From a filter's activation back to the pixels that it saw (Zeiler & Fergus 2014, section 2.1)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (the field's own name for it)

from ae_lightning.networks.layers import ACTIVATIONS, running_statistics

_ACTIVATIONS = (*ACTIVATIONS.values(), nn.ReLU6, nn.SiLU, nn.GELU, nn.Hardswish, nn.ELU)
"""Those of our networks and of torchvision's trunks."""


@dataclass(frozen=True)
class ConvolutionLayer:
    """A convolution of an encoder.

    Attributes:
        encoder: All of it.
        convolution: Its weights have the shape (F, C, k, k).
    """

    encoder: nn.Module
    convolution: nn.Conv2d

    def activations(self, x_BCHW: Tensor) -> Tensor:
        """Return what the convolution makes of images, shape (B, F, H', W')."""
        seen: list[Tensor] = []
        handle = self.convolution.register_forward_hook(lambda _, __, output: seen.append(output))
        try:
            _encode(self.encoder, x_BCHW)
        finally:
            handle.remove()
        return seen[0]


def convolution_layers(encoder: nn.Module, example_BCHW: Tensor) -> list[ConvolutionLayer]:
    """Find the convolutions of an encoder.

    Args:
        encoder: Of any network.
        example_BCHW: An image, which shows in what order the encoder calls them.

    Returns:
        The layers, from the image on; none where the network has no convolutions.
    """
    called: dict[nn.Conv2d, None] = {}

    def note(module: nn.Module, _: object) -> None:
        assert isinstance(module, nn.Conv2d)
        called[module] = None

    convolutions = [module for module in encoder.modules() if isinstance(module, nn.Conv2d)]
    handles = [module.register_forward_pre_hook(note) for module in convolutions]
    try:
        with torch.no_grad():
            _encode(encoder, example_BCHW)
    finally:
        for handle in handles:
            handle.remove()
    return [ConvolutionLayer(encoder, convolution) for convolution in called]


def _encode(encoder: nn.Module, x_BCHW: Tensor) -> None:
    """Run an encoder for the sake of its hooks, which one that is compiled would pass over."""
    with running_statistics(encoder), torch.compiler.set_stance("force_eager"):
        encoder(x_BCHW)


def project_back(layer: ConvolutionLayer, x_BCHW: Tensor, filter_number: int) -> Tensor:
    """Carry each image's strongest activation of a filter back to the pixels, all other activations at 0.

    That is the gradient's way back, which transposes convolutions and puts what was pooled back to where the maxima
    were, with one change: at each activation function the signal is rectified. Where a trunk calls an activation as a
    function, not as a module, its gradient stands.

    Args:
        layer: Of a network in eval mode.
        x_BCHW: Images.
        filter_number: The filter, from 0.

    Returns:
        What the filter saw, shape (B, C, H, W): 0 outside its receptive field.
    """
    # Lightning judges in inference mode, whose tensors no gradient can flow through.
    with torch.inference_mode(False), torch.enable_grad(), _rectified(layer.encoder):
        x_BCHW = x_BCHW.clone().requires_grad_()
        seen = layer.activations(x_BCHW)
        signal = _strongest_alone(seen.detach(), filter_number)
        return torch.autograd.grad(seen, x_BCHW, signal)[0]


def _rectify(_: nn.Module, __: object, given: tuple[Tensor, ...] | Tensor) -> tuple[Tensor, ...]:
    return (F.relu(given[0]),)


@contextmanager
def _rectified(encoder: nn.Module) -> Iterator[None]:
    """Let activation functions carry back what of a signal is above zero, whatever they saw on the way forth."""
    activations = [module for module in encoder.modules() if isinstance(module, _ACTIVATIONS)]
    in_place = [module for module in activations if getattr(module, "inplace", False)]
    handles = [module.register_full_backward_hook(_rectify) for module in activations]
    # What is overwritten in place cannot be hooked.
    for module in in_place:
        module.inplace = False  # type: ignore[assignment]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
        for module in in_place:
            module.inplace = True  # type: ignore[assignment]


def _strongest_alone(activations_BFHW: Tensor, filter_number: int) -> Tensor:
    maps = activations_BFHW[:, filter_number].flatten(1)
    values, places = maps.max(dim=1, keepdim=True)
    signal = torch.zeros_like(activations_BFHW)
    signal[:, filter_number] = torch.zeros_like(maps).scatter(1, places, values).view_as(signal[:, filter_number])
    return signal
