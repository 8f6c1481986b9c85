"""Trainings in several processes that share their batches over gloo, as ranks of one run."""

from __future__ import annotations

import multiprocessing
import os
import socket
import tempfile
import time
import traceback
from collections.abc import Sequence
from datetime import timedelta
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from torch import distributed

from ae_lightning.testing.training import Training, TrainingJob


def train_in_ranks(
    jobs: Sequence[TrainingJob], *, strategy: str = "ddp", num_ranks: int = 2, timeout: float = 120
) -> list[Training]:
    """Run trainings one after the other, each in all the processes of one launch.

    Args:
        jobs: What to train; their classes must be importable.
        strategy: Lightning's name of it.
        num_ranks: How many processes.
        timeout: Seconds after which the processes are killed.

    Returns:
        What each training left on the first rank.

    Raises:
        RuntimeError: If a process failed or did not end in time; with its traceback, where it left one.
    """
    # A server that has imported everything once forks the ranks: they start at once, and share no thread with pytest.
    has_server = "forkserver" in multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver") if has_server else multiprocessing.get_context("spawn")
    context.set_forkserver_preload([__name__])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        arguments = (num_ranks, folder, list(jobs), strategy, timeout)
        ranks = [context.Process(target=_run_rank, args=(rank, *arguments), daemon=True) for rank in range(num_ranks)]
        for process in ranks:
            process.start()
        _wait(ranks, timeout)
        late = [rank for rank, process in enumerate(ranks) if process.is_alive()]
        failed = [rank for rank, process in enumerate(ranks) if process.exitcode]
        for process in ranks:
            process.kill()
            process.join()
        faults = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("fault-*"))]
        if late or failed:
            said = f"ranks {failed} failed" if failed else f"ranks {late} were still running after {timeout} s"
            raise RuntimeError("\n".join([said, *faults]))
        return [torch.load(folder / f"job-{position}.pt", weights_only=False) for position in range(len(jobs))]


def _wait(ranks: Sequence[BaseProcess], timeout: float) -> None:
    """Wait until all have ended, or one has failed: the others would wait for it until their own time is up."""
    deadline = time.monotonic() + timeout
    running = list(ranks)
    while running and time.monotonic() < deadline and not any(process.exitcode for process in ranks):
        wait([process.sentinel for process in running], timeout=deadline - time.monotonic())
        running = [process for process in running if process.is_alive()]


def _run_rank(rank: int, num_ranks: int, folder: Path, jobs: list[TrainingJob], strategy: str, timeout: float) -> None:
    try:
        _join_group(rank, num_ranks, folder, timeout)
        for position, job in enumerate(jobs):
            left = job.run(num_ranks, devices=num_ranks, strategy=strategy, plugins=[LightningEnvironment()])
            if rank == 0:
                torch.save(left, folder / f"job-{position}.pt")
        distributed.destroy_process_group()
    except BaseException:
        (folder / f"fault-{rank}").write_text(f"rank {rank}: {traceback.format_exc()}", encoding="utf-8")
        raise


def _join_group(rank: int, num_ranks: int, folder: Path, timeout: float) -> None:
    torch.set_num_threads(1)
    # Lightning takes a set LOCAL_RANK to mean that the ranks were started for it.
    os.environ["LOCAL_RANK"] = str(rank)
    if any(name == "lo" for _, name in socket.if_nameindex()):
        # The host's own name need not resolve to anything that can be reached.
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    # A file to meet at needs no port that another process could take first.
    distributed.init_process_group(
        "gloo",
        init_method=f"file://{folder / 'store'}",
        rank=rank,
        world_size=num_ranks,
        timeout=timedelta(seconds=timeout),
    )
