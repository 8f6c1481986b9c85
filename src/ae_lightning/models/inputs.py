"""What a model may be given from Python: tensors and arrays of the right shape, of any floating type."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ae_lightning.errors import DataError
from ae_lightning.spec import DataSpec


def as_samples(x: Any, spec: DataSpec, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return samples as the network computes with them.

    Args:
        x: A tensor or an array, shape (B, *spec.shape), of any floating type, as scaled.
        spec: What a sample is.
        device: Where an array goes; a tensor stays where it is.
        dtype: Of the weights.

    Raises:
        DataError: If it is neither, of another shape, or of whole numbers: how they are scaled is not known here.
    """
    tensor = _as_tensor(x, "samples", device)
    if tensor.shape[1:] != spec.shape or tensor.ndim == 0:
        wanted = ", ".join(map(str, spec.shape))
        raise DataError(f"samples of shape {tuple(tensor.shape)}: this model takes (N, {wanted})")
    if not tensor.is_floating_point():
        raise DataError(
            f"samples of {str(tensor.dtype).removeprefix('torch.')}: give them as they were scaled in training, in "
            "floating point; under data.scaling `unit`, bytes are divided by 255"
        )
    return tensor.to(dtype)


def as_latents(latents: Any, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return latents as the decoder computes with them; whole numbers stay as they are.

    Raises:
        DataError: If they are neither a tensor nor an array.
    """
    tensor = _as_tensor(latents, "latents", device)
    return tensor.to(dtype) if tensor.is_floating_point() else tensor


def _as_tensor(given: Any, what: str, device: torch.device) -> Tensor:
    if isinstance(given, Tensor):
        return given
    # Behind a mask there are numbers too, which nobody means.
    is_plain = isinstance(given, np.ndarray) and not isinstance(given, np.ma.MaskedArray)
    if not is_plain or given.dtype.kind not in "fiub":
        kind = f"an array of {given.dtype}" if is_plain else type(given).__name__
        raise DataError(f"{what}: {kind} is not taken; give a tensor or a NumPy array of numbers")
    # torch knows neither the other order of bytes nor more than 64 bits.
    known = given.dtype.newbyteorder("=") if given.dtype.itemsize <= np.dtype(np.float64).itemsize else np.float64
    return torch.from_numpy(np.ascontiguousarray(given, known)).to(device)
