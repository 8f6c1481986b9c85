"""Processes that compute together."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from torch import distributed


def on_ranks(function: Callable[[int], Any], num_ranks: int, folder: Path) -> list[Any]:
    """Return what a function of the rank returns on each of several ranks, a process each."""
    # A server that has imported torch once forks the ranks; it is the one of `train_in_ranks`.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["ae_lightning.testing.ranks"])
    ranks = [context.Process(target=_run_rank, args=(rank, function, num_ranks, folder)) for rank in range(num_ranks)]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join()
    assert not any(process.exitcode for process in ranks), [process.exitcode for process in ranks]
    return [torch.load(folder / f"{rank}.pt") for rank in range(num_ranks)]


def _run_rank(rank: int, function: Callable[[int], Any], num_ranks: int, folder: Path) -> None:
    torch.set_num_threads(1)
    # A file to meet at needs no port that another process could take first.
    distributed.init_process_group(
        "gloo",
        init_method=f"file://{folder / 'store'}",
        rank=rank,
        world_size=num_ranks,
        timeout=timedelta(seconds=60),
    )
    torch.save(function(rank), folder / f"{rank}.pt")
    distributed.destroy_process_group()
