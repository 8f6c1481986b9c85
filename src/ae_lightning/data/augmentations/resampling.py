"""Images whose rows and columns are mixed, each image's by weights of its own."""

from __future__ import annotations

import torch
from torch import Tensor


def mixed(x_BCHW: Tensor, down_BhH: Tensor, across_BwW: Tensor) -> Tensor:
    """Mix the rows of each image, and its columns.

    Args:
        x_BCHW: Images.
        down_BhH: Weights of the rows in each row of the result.
        across_BwW: Weights of the columns in each column of the result.

    Returns:
        Shape (B, C, h, w).
    """
    num, channels, height, width = x_BCHW.shape
    rows_BCHw = torch.bmm(x_BCHW.reshape(num, channels * height, width), across_BwW.mT).view(num, channels, height, -1)
    rows_BHCw = rows_BCHw.transpose(1, 2).reshape(num, height, -1)
    mixed_BhCw = torch.bmm(down_BhH, rows_BHCw).view(num, down_BhH.shape[1], channels, -1)
    return mixed_BhCw.transpose(1, 2)
