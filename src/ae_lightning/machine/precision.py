"""Which precision to train in where the user did not choose."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

PRECISIONS = ("32-true", "64-true", "bf16-mixed", "16-mixed")
"""What may be trained in."""


def cpu_has_bf16() -> bool:
    """Whether the processor multiplies bfloat16 in hardware (AMX, or AVX-512 BF16), as Linux tells it."""
    try:
        told = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return False
    return not {"amx_bf16", "avx512_bf16"}.isdisjoint(told.split())


def choose_precision(accelerator: str) -> Literal["bf16-mixed", "32-true"]:
    """Return `bf16-mixed` where the device computes in bfloat16 natively, else `32-true`.

    Args:
        accelerator: The Trainer's: `auto`, `cpu`, `gpu`, `cuda`, `mps` or `tpu`.
    """
    uses_cuda = torch.cuda.is_available() and accelerator in ("auto", "gpu", "cuda")
    if uses_cuda:
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    return "bf16-mixed" if uses_cpu(accelerator) and cpu_has_bf16() else "32-true"


def is_double(precision: object) -> bool:
    """Whether the Trainer's precision is double."""
    return str(precision) in ("64", "64-true")


def take_double(model: nn.Module) -> None:
    """Let every layer take what it is given in its weights' own type.

    Lightning makes the weights double. Images and draws stay float32, so that they are the same in every precision.

    Args:
        model: Changed in place.
    """
    for layer in model.modules():
        if next(layer.parameters(recurse=False), None) is not None:
            layer.register_forward_pre_hook(_cast_to_weights)


def _cast_to_weights(layer: nn.Module, inputs: tuple[object, ...]) -> tuple[object, ...]:
    dtype = next(layer.parameters(recurse=False)).dtype
    return tuple(
        value.to(dtype) if isinstance(value, Tensor) and value.is_floating_point() else value for value in inputs
    )


def allow_tf32() -> None:
    """Let a GPU's tensor cores multiply float32 matrices with 10 bits of mantissa, as they do in convolutions anyway.

    A setting of the whole process; it changes nothing on a CPU.
    """
    if torch.cuda.is_available():
        torch.set_float32_matmul_precision("high")


def uses_cpu(accelerator: str) -> bool:
    """Whether the Trainer will compute on the processor.

    Args:
        accelerator: The Trainer's: `auto`, `cpu`, `gpu`, `cuda`, `mps` or `tpu`.
    """
    has_other = torch.cuda.is_available() or torch.backends.mps.is_available()
    return accelerator == "cpu" or (accelerator == "auto" and not has_other)
