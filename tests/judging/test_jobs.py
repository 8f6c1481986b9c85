"""Computations side by side: each once, where it may run, with the same results on any number of threads."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_info

from ae_lightning.judging.cache import Cache
from ae_lightning.judging.convergence import unconverged_is_fine
from ae_lightning.judging.jobs import Job, run_jobs
from ae_lightning.judging.once import once


@pytest.fixture(params=[1, 3])
def num_threads(request) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.fixture
def three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def test_each_runs_once_and_what_asks_a_network_on_the_callers_thread(num_threads):
    ran: list[tuple[int, bool]] = []
    caller = threading.current_thread()
    jobs = [
        Job(lambda number=number: ran.append((number, threading.current_thread() is caller)), number % 2 == 0)
        for number in range(20)
    ]
    run_jobs(jobs)
    assert sorted(number for number, _ in ran) == list(range(20))
    assert all(is_callers for number, is_callers in ran if number % 2)
    assert torch.get_num_threads() == num_threads


def test_jobs_run_side_by_side_without_gradients_and_on_one_thread_each(three_threads):
    together = threading.Barrier(3, timeout=60)
    seen: list[tuple[bool, int]] = []

    def meet() -> None:
        together.wait()
        seen.append((torch.is_grad_enabled(), torch.get_num_threads()))

    run_jobs([Job(meet)] * 3)
    assert seen == [(False, 1)] * 3


def test_a_library_computes_on_one_thread_in_each_and_on_as_many_as_before_afterwards(three_threads):
    def threads_of_blas() -> list[int]:
        return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]

    before = threads_of_blas()
    found: list[int] = []
    run_jobs([Job(lambda: found.extend(threads_of_blas()))] * 2)
    assert set(found) == {1}
    assert threads_of_blas()[: len(before)] == before


@pytest.mark.parametrize("is_movable", [True, False])
def test_a_failure_comes_through_and_what_has_not_begun_is_left(num_threads, is_movable):
    ran: list[int] = []

    def fail() -> None:
        raise KeyboardInterrupt

    def later() -> None:
        time.sleep(0.05)
        ran.append(1)

    with pytest.raises(KeyboardInterrupt):
        run_jobs([Job(fail, is_movable), *[Job(later)] * 50])
    assert len(ran) < 10


class Slow:
    num_computed = 0

    @once
    def value(self) -> object:
        time.sleep(0.1)
        type(self).num_computed += 1
        return object()


def test_what_several_threads_ask_for_at_once_is_computed_once(three_threads):
    slow, cache = Slow(), Cache()
    seen: list[object] = []
    computed: list[int] = []

    def compute() -> dict[str, np.ndarray]:
        time.sleep(0.1)
        computed.append(1)
        return {"value": np.ones(1)}

    run_jobs([Job(lambda: seen.append((slow.value, id(cache.get("key", compute)))))] * 3)
    assert len(set(seen)) == Slow.num_computed == len(computed) == 1


def test_warnings_are_as_before_when_the_last_fit_is_over(three_threads):
    inside, outside = threading.Event(), threading.Event()

    def first() -> None:
        with unconverged_is_fine():
            inside.set()
            outside.wait(60)
            warnings.warn("too few", ConvergenceWarning, stacklevel=1)

    def second() -> None:
        inside.wait(60)
        with unconverged_is_fine():
            pass
        outside.set()

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        run_jobs([Job(first), Job(second)])
        assert said == []
        warnings.warn("too few", ConvergenceWarning, stacklevel=1)
    assert len(said) == 1
