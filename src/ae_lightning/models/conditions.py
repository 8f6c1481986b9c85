"""Labels as what encoder and decoder are given beside their input."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ae_lightning.spec import DataSpec


def with_condition(spec: DataSpec) -> DataSpec:
    """Return what a sample is once `append_condition` has given it a channel, or a value, for each class."""
    axis = _axis(spec)
    shape = list(spec.shape)
    shape[axis] += spec.num_classes
    return replace(spec, shape=tuple(shape))


def condition_sample(x: Tensor, given: Tensor | None, spec: DataSpec) -> Tensor:
    """Append the condition to samples, shape (B, *with_condition(spec).shape)."""
    return append_condition(x, given, spec.num_classes, 1 + _axis(spec))


def append_condition(x: Tensor, given: Tensor | None, num_classes: int, axis: int = 1) -> Tensor:
    """Append a one-hot class to an axis; along all other axes it is the same everywhere.

    Args:
        x: Samples or latents, shape (B, …).
        given: Classes, int64, shape (B,); where one is missing (−1), or is none of the K, all of its values are 0: what
            a model was never told, it is not told for another class, and no value on a device is waited for.
        num_classes: K, how many there are.
        axis: Which axis becomes longer by K.

    Raises:
        ValueError: If there are no classes, or not one for each sample.
    """
    if given is None:
        raise ValueError("this model is conditional: give the classes, −1 where one is not known")
    if len(given) != len(x):
        raise ValueError(f"{len(given)} classes for {len(x)} samples")
    one_hot_BK = (given.to(x.device)[:, None] == torch.arange(num_classes, device=x.device)).to(x.dtype)
    shape = [1] * x.ndim
    shape[0], shape[axis] = len(x), num_classes
    sizes = list(x.shape)
    sizes[axis] = num_classes
    return torch.cat([x, one_hot_BK.view(shape).expand(sizes)], dim=axis)


def _axis(spec: DataSpec) -> int:
    """Return which axis of a sample holds its channels or values."""
    return 1 if spec.kind == "sequence" else 0
