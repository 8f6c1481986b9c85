"""Processes that compute together."""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from torch import distributed, multiprocessing


def on_ranks(function: Callable[[int], Any], num_ranks: int, folder: Path) -> list[Any]:
    """Return what a function of the rank returns on each of several ranks, a process each."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    multiprocessing.spawn(_run_rank, args=(function, num_ranks, port, folder), nprocs=num_ranks)
    return [torch.load(folder / f"{rank}.pt") for rank in range(num_ranks)]


def _run_rank(rank: int, function: Callable[[int], Any], num_ranks: int, port: int, folder: Path) -> None:
    torch.set_num_threads(1)
    address = f"tcp://127.0.0.1:{port}"
    distributed.init_process_group(
        "gloo", init_method=address, rank=rank, world_size=num_ranks, timeout=timedelta(seconds=60)
    )
    torch.save(function(rank), folder / f"{rank}.pt")
    distributed.destroy_process_group()
