"""What Lightning and torch do beside a training step, some dozens of times each: made cheap where nobody wants it."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext

from lightning.pytorch.profilers import PassThroughProfiler

_NOTHING = nullcontext()


class NoProfiler(PassThroughProfiler):
    """Times nothing, at no cost: Lightning's own makes a context manager for every hook of every callback."""

    def profile(self, action_name: str) -> AbstractContextManager[None]:  # type: ignore[override]
        """Return a context that does nothing."""
        return _NOTHING


def answer_at_once_for_gpus() -> None:
    """Let torch say at once whether there is a GPU, for a process that computes on the CPU.

    Adam asks before every step. Lightning has torch look for NVIDIA's management library then, since the usual way to
    ask keeps processes that are forked later from using a GPU; a search of the disk, where that library is missing.
    """
    os.environ.pop("PYTORCH_NVML_BASED_CUDA_CHECK", None)
