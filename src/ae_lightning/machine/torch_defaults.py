"""What a program may have set for all that it computes with torch, left out of what it has us compute."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch


@contextmanager
def torch_defaults() -> Iterator[None]:
    """Compute as in a program of its own: in float32, on the CPU where no other device is named, with gradients.

    A default dtype or device of the caller's, `torch.inference_mode` or `torch.autocast` around the call would train
    another model than the one that is recorded, or none. How precisely a GPU multiplies float32 matrices, which `fit`
    decides for itself, is what it was again afterwards.
    """
    dtype, precision = torch.get_default_dtype(), torch.get_float32_matmul_precision()
    torch.set_default_dtype(torch.float32)
    try:
        with ExitStack() as settings:
            if torch.get_default_device().type != "cpu":
                # It makes each call of torch slower, and is there only where it must be.
                settings.enter_context(torch.device("cpu"))
            for kind in filter(torch.is_autocast_enabled, ("cpu", "cuda", "mps", "xpu")):
                settings.enter_context(torch.autocast(kind, enabled=False))
            settings.enter_context(torch.inference_mode(False))
            settings.enter_context(torch.enable_grad())
            yield
    finally:
        torch.set_default_dtype(dtype)
        torch.set_float32_matmul_precision(precision)
