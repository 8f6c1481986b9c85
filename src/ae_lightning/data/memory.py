"""Memory for images: what is free, what a process is granted, and what fits on the GPU that trains on it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

import psutil
import torch

from ae_lightning.errors import ConfigError, DataError
from ae_lightning.machine.control_groups import MEMBERSHIP, MOUNT, Group, groups_of, lines_of

COPIES = 2
"""Of images that are divided: those in one piece, and their parts."""

OnDevice = bool | Literal["auto"]
SHARE_OF_FREE_MEMORY = 0.25
"""What a split may take of a GPU's free memory where the user leaves it open: the model and its step need the rest."""


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


def device_to_keep_on(on_device: OnDevice, device: torch.device, num_bytes: int, key: str) -> torch.device | None:
    """Return the device that a split is to be kept on, None for the host's memory.

    Args:
        on_device: `auto` for a GPU on which it takes at most a quarter of the free memory. On a processor, which has
            the host's memory for its own, all values are one.
        device: Where it is trained on.
        num_bytes: Size of the split in bytes.
        key: Names the split in the error.

    Raises:
        ConfigError: If it is to be there at any price and does not fit.
    """
    if device.type == "cpu" or on_device is False:
        return None
    free = free_memory(device)
    if on_device == "auto":
        return device if free is not None and num_bytes <= SHARE_OF_FREE_MEMORY * free else None
    if free is not None and num_bytes > free:
        needed = f"{num_bytes / 2**30:.1f} GiB of {device}, which has {free / 2**30:.1f} GiB free"
        raise ConfigError(f"data.on_device: true needs for {key} {needed}; auto keeps it in the host's memory")
    return device


def free_memory(device: torch.device) -> int | None:
    """Return the free memory of a GPU in bytes, None for a device that does not tell."""
    return int(torch.cuda.mem_get_info(device)[0]) if device.type == "cuda" else None


class _Files(NamedTuple):
    """Where a group says what it grants.

    Attributes:
        limit: File of the limit in bytes.
        usage: File of what is in use, pages of files among it.
        given_back: Entries of `memory.stat` that count those pages, which the kernel takes back where it needs room.
    """

    limit: str
    usage: str
    given_back: tuple[str, ...]


_V1 = _Files("memory.limit_in_bytes", "memory.usage_in_bytes", ("total_inactive_file", "total_active_file"))
_V2 = _Files("memory.max", "memory.current", ("inactive_file", "active_file"))


def memory_left(mount: Path = MOUNT, membership: Path = MEMBERSHIP) -> int | None:
    """Return how many bytes the groups of this process still grant, the fewest of them.

    Args:
        mount: Where the control groups are.
        membership: The file that says which groups the process is in.

    Returns:
        None where there are no groups, or none has a limit.
    """
    found = map(_left_in, groups_of("memory", mount, membership))
    return min((left for left in found if left is not None), default=None)


def _left_in(group: Group) -> int | None:
    files = _V1 if group.version == 1 else _V2
    try:
        limit, usage = (int((group.folder / name).read_text()) for name in (files.limit, files.usage))
    except (OSError, ValueError):  # no such group, or its limit is the word `max`
        return None
    counts = dict(line.split(" ", 1) for line in lines_of(group.folder / "memory.stat"))
    given_back = sum(int(counts.get(name, 0)) for name in files.given_back)
    return max(0, limit - max(0, usage - given_back))
