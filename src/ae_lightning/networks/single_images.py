"""Whether a network can train on one image at a time."""

from __future__ import annotations

from itertools import chain

import torch
from torch import nn
from torch.func import functional_call

from ae_lightning.errors import ConfigError


def require_single_images_taken(network: nn.Module, shape: tuple[int, ...]) -> None:
    """Refuse to train a network on one image at a time where batch norm would take the variance of one number.

    One that shares its statistics with other processes (`sync_batchnorm`) sees their images too, and is not asked.

    Args:
        network: In train mode; it is asked on a device without numbers, which leaves its statistics as they are.
        shape: Of its input, without the batch.

    Raises:
        ConfigError: If it needs more images.
    """
    if any(isinstance(layer, nn.SyncBatchNorm) for layer in network.modules()):
        return
    tensors = chain(network.named_parameters(), network.named_buffers())
    without_numbers = {name: tensor.to("meta") for name, tensor in tensors}
    try:
        with torch.no_grad(), torch.compiler.set_stance("force_eager"):
            functional_call(network, without_numbers, torch.empty(1, *shape, device="meta"))
    except ValueError as error:
        raise ConfigError(
            f"data.batch_size: batch norm needs at least 2 images a process in this network ({error})"
        ) from error
