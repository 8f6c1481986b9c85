"""Weights as a checkpoint must hold them: dense tensors of real numbers, each in memory of its own size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor


def fault_of(weights: Any) -> str | None:
    """Say what is wrong with the weights of a checkpoint; None where nothing is.

    What torch would stumble over later, or fill the memory with, is named here: tensors that are sparse, nested,
    quantized or without data, a shape far beyond what is stored; and what would be computed with in silence: complex
    numbers, and values that are no numbers.

    Args:
        weights: The checkpoint's `state_dict`.
    """
    if not isinstance(weights, Mapping) or not all(isinstance(value, Tensor) for value in weights.values()):
        return "holds no autoencoder"
    for name, value in weights.items():
        if not isinstance(name, str):
            return f"a weight is called {name!r}, which is no string"
        kind = _odd_kind(value)
        if kind is not None:
            return f"the weight {name} is {kind}, which no autoencoder's is"
        # An infinity may be meant, as in a mask; float8 knows no test of its own.
        if value.is_floating_point() and torch.isnan(value.float() if value.element_size() == 1 else value).any():
            return f"the weight {name} holds NaN"
    return None


_ODD_KINDS: dict[str, Callable[[Tensor], bool]] = {
    # In this order: of a nested or sparse one, not even the size can be asked for.
    "a nested tensor": lambda value: value.is_nested,
    "a sparse tensor": lambda value: value.layout != torch.strided,
    "quantized": lambda value: value.is_quantized,
    "without its data": lambda value: value.device.type == "meta",
    "complex": lambda value: value.is_complex(),
    "larger than what is stored of it": lambda value: (
        value.numel() * value.element_size() > value.untyped_storage().nbytes()
    ),
}


def _odd_kind(value: Tensor) -> str | None:
    return next((kind for kind, is_of_it in _ODD_KINDS.items() if is_of_it(value)), None)
