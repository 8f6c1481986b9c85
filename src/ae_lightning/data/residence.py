"""Whether a split lives on the GPU that trains on it, so that no batch has to be sent there."""

from __future__ import annotations

from typing import Literal

import torch

from ae_lightning.errors import ConfigError

OnDevice = bool | Literal["auto"]

SHARE_OF_FREE_MEMORY = 0.25
"""What a split may take of a GPU's free memory where the user leaves it open: the model and its step need the rest."""


def residence(on_device: OnDevice, device: torch.device, num_bytes: int, key: str) -> torch.device | None:
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
