"""Numbers in full precision, whatever autocast does around them."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch
from torch import Tensor


def full_precision(tensor: Tensor) -> Tensor:
    """Return a tensor as float32, or as float64 where it is that: what autocast gives in 16 bits is summed in more.

    Args:
        tensor: Of any floating type and shape.
    """
    return tensor if tensor.dtype == torch.float64 else tensor.float()


def autocast_off(tensor: Tensor) -> AbstractContextManager[object]:
    """Return a context in which products are computed in the precision of their factors.

    Under bf16 autocast a matrix product of two float32 tensors has eight bits of mantissa: a moving average, a variance
    or a distance to a codebook loses what it is made of. `full_precision` makes the factors float32 first.

    Args:
        tensor: Of the device that computes.
    """
    return torch.autocast(tensor.device.type, enabled=False)
