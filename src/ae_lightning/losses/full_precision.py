"""Numbers in full precision."""

from __future__ import annotations

import torch
from torch import Tensor


def full_precision(tensor: Tensor) -> Tensor:
    """Return a tensor as float32, or as float64 where it is that: what autocast gives in 16 bits is summed in more.

    Args:
        tensor: Of any floating type and shape.
    """
    return tensor if tensor.dtype == torch.float64 else tensor.float()
