"""The C library's memory allocator: told to keep the pages that a training step needs again at the next one."""

from __future__ import annotations

import ctypes
import platform

M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
KEPT_BYTES = 1 << 30
"""Buffers up to this size stay with the process when they are freed, and so much free memory at the heap's end."""


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
