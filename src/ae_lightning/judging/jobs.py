"""Independent computations side by side: as many threads as PyTorch computes on, each of which computes on one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module

import torch
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it ships no types

MAX_THREADS = 4
"""More would hold as many computations' memory, and wait for the longest one all the same."""


@dataclass(frozen=True)
class Job:
    """A computation that takes no part in another one's result.

    Attributes:
        run: Computes, and keeps the result itself.
        is_movable: Whether any thread may run it: what asks a network, which may be bound to the thread that compiled
            it, or is a user's own, stays with the caller.
    """

    run: Callable[[], None]
    is_movable: bool = True


def run_jobs(jobs: Sequence[Job]) -> None:
    """Run jobs, on at most ``MAX_THREADS`` of the threads that PyTorch may compute on.

    Libraries share such small work among threads badly; whole computations are shared better. Where there are several
    threads the libraries have one each, so that a result does not depend on how many there are.

    Args:
        jobs: In the order in which they are begun, those that are not movable by the caller first.

    Raises:
        BaseException: What one of them raised; those that had not begun are left.
    """
    num_threads = min(torch.get_num_threads(), MAX_THREADS, len(jobs))
    if num_threads < 2:
        for job in jobs:
            job.run()
        return
    movable = deque(job for job in jobs if job.is_movable)

    def begin(job: Job) -> None:
        try:
            job.run()
        except BaseException:
            movable.clear()
            raise

    def work() -> None:
        with torch.inference_mode():
            while movable:
                try:
                    job = movable.popleft()
                except IndexError:  # another thread was first
                    return
                begin(job)

    with _one_thread_each(), ThreadPoolExecutor(num_threads - 1, "measure", _limit_thread) as pool:
        helpers = [pool.submit(work) for _ in range(num_threads - 1)]
        for job in jobs:
            if not job.is_movable:
                begin(job)
        work()
        for helper in helpers:
            helper.result()


@contextmanager
def _one_thread_each() -> Iterator[None]:
    # What is loaded later begins with all cores, on each thread.
    for library in ("faiss", "sklearn.cluster"):
        with suppress(ImportError):
            import_module(library)
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(num_threads)


def _limit_thread() -> None:
    """Limit what a thread decides for itself: OpenMP's number of threads."""
    torch.set_num_threads(1)
    threadpool_limits(1, user_api="openmp")
