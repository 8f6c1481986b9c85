"""Compiling an autoencoder's networks on request, and training without where that cannot be had."""

from __future__ import annotations

import torch
from lightning_utilities.core.rank_zero import rank_zero_warn
from torch import nn


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
