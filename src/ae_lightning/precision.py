"""Which precision to train in where the user did not choose."""

from __future__ import annotations

from typing import Literal

import torch

from ae_lightning.errors import ConfigError


def cpu_has_bf16() -> bool:
    """Whether the processor multiplies bfloat16 in hardware (AMX, or AVX-512 BF16)."""
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))


def choose_precision(accelerator: str) -> Literal["bf16-mixed", "32-true"]:
    """Return `bf16-mixed` where the device computes in bfloat16 natively, else `32-true`.

    Args:
        accelerator: The Trainer's: `auto`, `cpu`, `gpu`, `cuda`, `mps` or `tpu`.
    """
    uses_cuda = torch.cuda.is_available() and accelerator in ("auto", "gpu", "cuda")
    if uses_cuda:
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    return "bf16-mixed" if uses_cpu(accelerator) and cpu_has_bf16() else "32-true"


def require_supported(precision: object) -> None:
    """Refuse double precision, which the weights alone would have: images, codes and losses are float32.

    Raises:
        ConfigError: If it is asked for.
    """
    if str(precision) in ("64", "64-true"):
        raise ConfigError(
            f"trainer.precision: {precision!r} is not allowed, since images, codes and losses are float32; "
            "Allowed: 32-true, bf16-mixed, 16-mixed"
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
