"""The convolutions of an encoder as functions on arrays, for the pictures that show them."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch

from ae_lightning.errors import ConfigError
from ae_lightning.judging.chunks import chunk_size
from ae_lightning.judging.numpy_model import Rows
from ae_lightning.judging.picture_case import NumpyConvolution
from ae_lightning.models.autoencoder import Autoencoder
from ae_lightning.networks.deconvolution import ConvolutionLayer, convolution_layers, project_back


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


def numpy_convolutions(model: Autoencoder) -> list[NumpyConvolution]:
    """Give the convolutions that a path leads to from the image alone, that next to it first.

    Args:
        model: In eval mode; images go to its device in chunks and come back.
    """
    return [
        NumpyConvolution(
            kernels=layer.convolution.weight.detach().float().cpu().numpy(),
            peaks=partial(_peaks, model, layer),
            project_back=partial(_project_back, model, layer),
        )
        for layer in _layers(model)
    ]


def _layers(model: Autoencoder) -> list[ConvolutionLayer]:
    # What a filter sees of an image would be asked of a class too.
    if model.conditional:
        return []
    return convolution_layers(model.encoder, torch.zeros(2, *model.spec.shape, device=model.device))


@torch.no_grad()
def _peaks(model: Autoencoder, layer: ConvolutionLayer, images: Rows) -> Rows:
    chunks = torch.split(torch.from_numpy(images), max(1, chunk_size(images.shape[1:]) // 4))
    peaks = [layer.activations(chunk.to(model.device)).flatten(2).amax(dim=2).float().cpu().numpy() for chunk in chunks]
    return np.concatenate(peaks)


def _project_back(model: Autoencoder, layer: ConvolutionLayer, images: Rows, index: int) -> Rows:
    seen: Rows = project_back(layer, torch.from_numpy(images).to(model.device), index).float().cpu().numpy()
    return seen
