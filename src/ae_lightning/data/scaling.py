"""From bytes to the values a network sees; done on the batch, on its device."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Scaling = Literal["unit", "image_max"]


def scale_unit(images: Tensor) -> Tensor:
    """Map 0 to 255 onto 0 to 1.

    Args:
        images: uint8, shape (N, C, H, W).

    Returns:
        float32 in [0, 1], same shape, device and memory order.
    """
    return images.to(torch.float32).div_(255)


def scale_image_max(images: Tensor) -> Tensor:
    """Divide each image by its own maximum, taken over channels, rows and columns.

    Args:
        images: uint8, shape (N, C, H, W).

    Returns:
        float32 in [0, 1], same shape, device and memory order. Each image's maximum is 1; a black image
        stays 0.
    """
    brightest = images.amax(dim=(1, 2, 3), keepdim=True).clamp_(min=1)
    return images.to(torch.float32).div_(brightest)


def scale(images: Tensor, scaling: Scaling) -> Tensor:
    """Scale images by the named rule.

    Args:
        images: uint8, shape (N, C, H, W).
        scaling: ``unit`` for :func:`scale_unit`, ``image_max`` for :func:`scale_image_max`.

    Returns:
        float32 in [0, 1], same shape, device and memory order.
    """
    return scale_unit(images) if scaling == "unit" else scale_image_max(images)
