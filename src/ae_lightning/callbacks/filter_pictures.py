"""What an encoder's convolutions look for: pictures for networks that have some."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from ae_lightning.autoencoder import Autoencoder
from ae_lightning.callbacks.encoding import chunk_size
from ae_lightning.callbacks.subject import Subject
from ae_lightning.errors import ConfigError
from ae_lightning.networks.deconvolution import ConvolutionLayer, convolution_layers, project_back

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_IMAGES = 1_000
"""Images among which those are sought that excite a filter the most; of larger splits a fixed random subset."""

NUM_FILTERS = 16
NUM_PARTS = 8


def require_convolution(model: Autoencoder, convolution: int | None) -> None:
    """Refuse the number of a convolution that the encoder does not have.

    Raises:
        ConfigError: If it does not.
    """
    if convolution is None:
        return
    num = len(_layers(model))
    if num and not 1 <= convolution <= num:
        raise ConfigError(f"evaluation.convolution: {convolution} is not allowed; this network shows 1 to {num}")


def draw_filters(subject: Subject) -> Figure | None:
    """Draw the kernels of the first convolution, or of the chosen one."""
    from ae_lightning.plots.filters import filters

    layers = _layers(subject.model)
    if not layers:
        return None
    number = subject.convolution or 1
    weights = layers[number - 1].convolution.weight.detach().float().cpu().numpy()
    return filters(weights, f"Filters of convolution {number} of {len(layers)} (grey: 0, each filter by its own scale)")


def draw_activations(subject: Subject) -> Figure | None:
    """Draw what excites each filter of the last convolution, or of the chosen one, the most."""
    from ae_lightning.plots.activations import activations
    from ae_lightning.plots.style import spread

    layers = _layers(subject.model)
    if not layers:
        return None
    number = subject.convolution or len(layers)
    layer = layers[number - 1]
    images = subject.evaluated.images[spread(len(subject.evaluated), MAX_IMAGES)]
    peaks = _peaks(subject.model, layer, images)
    chosen = np.sort(np.argsort(-peaks.max(axis=0), kind="stable")[:NUM_FILTERS])
    strongest = images[np.argsort(-peaks[:, chosen], axis=0, kind="stable")[:NUM_PARTS].T]
    projections = np.stack(
        [
            project_back(layer, torch.from_numpy(own).to(subject.model.device), int(index)).float().cpu().numpy()
            for index, own in zip(chosen, strongest, strict=True)
        ]
    )
    title = f"What excites the filters of convolution {number} of {len(layers)} the most, and what they see"
    return activations(strongest, projections, chosen.tolist(), title)


def _layers(model: Autoencoder) -> list[ConvolutionLayer]:
    assert isinstance(model.example_input_array, torch.Tensor)
    return convolution_layers(model.encoder, model.example_input_array.to(model.device))


@torch.no_grad()
def _peaks(model: Autoencoder, layer: ConvolutionLayer, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """The strongest activation of each filter in each image, shape (N, F)."""
    chunks = torch.split(torch.from_numpy(images), max(1, chunk_size(images.shape[1:]) // 4))
    peaks = [layer.activations(chunk.to(model.device)).flatten(2).amax(dim=2).float().cpu().numpy() for chunk in chunks]
    return np.concatenate(peaks)
