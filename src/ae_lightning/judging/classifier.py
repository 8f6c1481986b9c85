"""A small classifier whose features tell real images from unreal ones, trained once a data set."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, cross_entropy

from ae_lightning.judging.cache import Arrays
from ae_lightning.judging.chunks import chunks

NUM_FEATURES = 64
NUM_STEPS = 600
BATCH_SIZE = 128
MAX_SIDE = 32
"""Height or width in pixels above which images are averaged down before they are classified."""

_WIDTHS = (16, 32)
_SEED = 0


def train_classifier(images: NDArray[np.float32], labels: NDArray[np.int64]) -> Arrays:
    """Train two strided convolutions and two linear layers on labelled images, on the CPU.

    600 steps of Adam on batches of 128, whatever the size of the data set; the same images and labels give the same
    weights on the same machine. The global random state is left alone.

    Args:
        images: In [0, 1], shape (N, C, H, W).
        labels: Shape (N,), all known.

    Returns:
        The weights by name.
    """
    positions = torch.from_numpy(np.unique(labels, return_inverse=True)[1])
    pixels = _shrink(torch.from_numpy(images))
    generator = torch.Generator().manual_seed(_SEED)
    # Lightning judges in inference mode, in which nothing can be trained.
    with torch.inference_mode(False), torch.enable_grad():
        network = _build(tuple(pixels.shape[1:]), int(positions.max()) + 1)
        _draw_weights(network)
        optimizer = torch.optim.Adam(network.parameters(), fused=True)
        for _ in range(NUM_STEPS):
            batch = torch.randint(len(pixels), (BATCH_SIZE,), generator=generator)
            loss = cross_entropy(network(pixels[batch].clone()), positions[batch].clone())
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return {name: weight.numpy() for name, weight in network.state_dict().items()}


def features(weights: Arrays, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what the classifier's last layer sees of images.

    Args:
        weights: From ``train_classifier``, on images of the same shape.
        images: Shape (N, C, H, W); clipped to [0, 1].

    Returns:
        Shape (N, 64).
    """
    network = _build(_shrink(torch.from_numpy(images[:1])).shape[1:], len(weights["head.bias"]))
    network.load_state_dict({name: torch.from_numpy(weight) for name, weight in weights.items()}, assign=True)
    with torch.no_grad():
        pieces = [
            network[0](_shrink(torch.from_numpy(images[rows]).clamp(0, 1))).numpy()
            for rows in chunks(len(images), _WIDTHS[0] * images[0].size)
        ]
    return np.concatenate(pieces)


def _build(shape: torch.Size | tuple[int, ...], num_classes: int) -> nn.Sequential:
    """Build the network without weights: whoever fills them must not move the generator that others draw from."""
    layers: list[nn.Module] = []
    channels, height, width = shape
    with torch.device("meta"):
        for filters in _WIDTHS:
            layers += [nn.Conv2d(channels, filters, 3, stride=2, padding=1), nn.ReLU()]
            channels, height, width = filters, -(-height // 2), -(-width // 2)
        layers += [nn.Flatten(), nn.Linear(channels * height * width, NUM_FEATURES), nn.ReLU()]
        return nn.Sequential(OrderedDict(body=nn.Sequential(*layers), head=nn.Linear(NUM_FEATURES, num_classes)))


def _draw_weights(network: nn.Sequential) -> None:
    """Draw weights and biases as PyTorch does for a new layer, from a generator of their own."""
    network.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(_SEED)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            bound = layer.weight[0].numel() ** -0.5
            for parameter in (layer.weight, layer.bias):
                assert parameter is not None
                with torch.no_grad():
                    parameter.uniform_(-bound, bound, generator=generator)


def _shrink(images: Tensor) -> Tensor:
    height, width = images.shape[2:]
    if max(height, width) <= MAX_SIDE:
        return images
    return adaptive_avg_pool2d(images, (min(height, MAX_SIDE), min(width, MAX_SIDE)))
