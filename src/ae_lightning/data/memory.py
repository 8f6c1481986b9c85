"""Refuse what would not fit into memory before it is allocated."""

from __future__ import annotations

import psutil

from ae_lightning.data.cgroups import memory_left
from ae_lightning.errors import DataError

COPIES = 2
"""Of images that are divided: those in one piece, and their parts."""


def require_memory(num_bytes: int, what: str) -> None:
    """Check that an allocation fits into the memory that is free now, and that this process is granted.

    Args:
        num_bytes: Size of the allocation in bytes.
        what: What needs it, and what to do about it; begins the message.

    Raises:
        DataError: If less memory is available.
    """
    available = int(psutil.virtual_memory().available)
    granted = memory_left()
    if granted is not None:
        available = min(available, granted)
    if num_bytes > available:
        needed = f"needs {num_bytes / 2**30:.1f} GiB of memory, {available / 2**30:.1f} GiB are free"
        raise DataError(f"{what} {needed}")
