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
from pathlib import Path

import torch
from lightning.pytorch.plugins.environments import LightningEnvironment
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
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        arguments = (num_ranks, folder, list(jobs), strategy, timeout)
        ranks = [context.Process(target=_run_rank, args=(rank, *arguments), daemon=True) for rank in range(num_ranks)]
        for process in ranks:
            process.start()
        deadline = time.monotonic() + timeout
        for process in ranks:
            process.join(max(0.0, deadline - time.monotonic()))
        late = [rank for rank, process in enumerate(ranks) if process.is_alive()]
        for process in ranks:
            process.kill()
            process.join()
        faults = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("fault-*"))]
        if late or faults or any(process.exitcode for process in ranks):
            said = f"ranks {late} were still running after {timeout} s" if late else "a rank failed"
            raise RuntimeError("\n".join([said, *faults]))
        return [torch.load(folder / f"job-{position}.pt", weights_only=False) for position in range(len(jobs))]


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
