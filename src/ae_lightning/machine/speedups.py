"""Speed-ups of a training: freed memory that is kept, compiled networks, bookkeeping that nobody reads left out."""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext

import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.profilers import PassThroughProfiler
from lightning_utilities.core.rank_zero import rank_zero_warn
from torch import nn

M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
KEPT_BYTES = 1 << 30
"""Buffers up to this size stay with the process when they are freed, and so much free memory at the heap's end."""

_NOTHING = nullcontext()

_HOOKS_OF_A_STEP = (
    *("on_train_batch_start", "on_before_zero_grad", "on_before_backward", "on_after_backward"),
    *("on_before_optimizer_step", "on_train_batch_end"),
)
"""What Lightning calls of every callback in every training step."""


def keep_freed_memory() -> bool:
    """Let glibc keep freed buffers, where it is the allocator, instead of giving each back to the kernel.

    By default every buffer above a threshold of at most 32 MiB is mapped afresh, and the kernel clears its pages again
    at each step: a third of a step on a CPU. Meant to be called before the first large tensor. An allocator that was
    preloaded in glibc's place (jemalloc, tcmalloc) ignores it.

    Returns:
        Whether glibc is there and took both settings.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    return all(libc.mallopt(setting, KEPT_BYTES) == 1 for setting in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD))


class NoProfiler(PassThroughProfiler):
    """Times nothing, at no cost: Lightning's own makes a context manager for every hook of every callback."""

    def profile(self, action_name: str) -> AbstractContextManager[None]:  # type: ignore[override]
        """Return a context that does nothing."""
        return _NOTHING


def leave_out_empty_hooks(callbacks: Iterable[Callback]) -> None:
    """Let Lightning pass over the hooks of a training step in which a callback of this package does nothing.

    It calls six of each callback in every step, and passes over what is not callable.

    Args:
        callbacks: Those of this package are changed; others are their owners'.
    """
    for callback in callbacks:
        if type(callback).__module__.partition(".")[0] == __package__.partition(".")[0]:
            for name in _HOOKS_OF_A_STEP:
                if getattr(type(callback), name) is getattr(Callback, name):
                    setattr(callback, name, None)


def answer_at_once_for_gpus() -> None:
    """Let torch say at once whether there is a GPU, for a process that computes on the CPU.

    Adam asks before every step. Lightning has torch look for NVIDIA's management library then, since the usual way to
    ask keeps processes that are forked later from using a GPU; a search of the disk, where that library is missing.
    """
    os.environ.pop("PYTORCH_NVML_BASED_CUDA_CHECK", None)


def compile_networks(device: torch.device, *networks: nn.Module) -> bool:
    """Compile networks in place: their weights keep their names, so that checkpoints are the same with and without.

    A function of one operation is compiled first. Where that fails (no C compiler, no support for the platform), the
    networks are left as they are and a warning says why.

    Args:
        device: Where they will compute: what compiles for a processor need not for a GPU.
        networks: Encoder and decoder.

    Returns:
        Whether they will be compiled, each at its first batch.
    """
    try:
        torch.compile(torch.neg)(torch.zeros(8, device=device))
    except Exception as error:
        reason = next(line for line in str(error).splitlines() if line.strip())
        rank_zero_warn(f"--compile: training goes on without, since torch.compile fails here: {reason.strip()}")
        return False
    for network in networks:
        network.compile()
    return True
