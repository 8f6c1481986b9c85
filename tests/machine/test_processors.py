"""How many threads compute where a container grants fewer processors than are there, on made-up control groups."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import pytest
import torch

from ae_lightning.machine import processors
from ae_lightning.machine.processors import (
    num_granted,
    seconds_waited,
    share_granted_processors,
)

NUM_SEEN = 64


def group(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / f"cpu.{name}").write_text(f"{content}\n")


@pytest.fixture
def granted(tmp_path, monkeypatch):
    monkeypatch.setattr(processors, "num_seen", lambda: NUM_SEEN)

    def of(membership):
        (tmp_path / "membership").write_text(membership)
        return num_granted(tmp_path / "mount", tmp_path / "membership")

    return of


@pytest.mark.parametrize(
    ("limit", "number"), [("400000 100000", 4), ("250000 100000", 2), ("50000 100000", 1), ("max 100000", NUM_SEEN)]
)
def test_a_quota_of_version_2(tmp_path, granted, limit, number):
    group(tmp_path / "mount/pod", max=limit)
    assert granted("0::/pod\n") == number


@pytest.mark.parametrize(("quota", "number"), [(300_000, 3), (-1, NUM_SEEN)])
def test_a_quota_of_version_1(tmp_path, granted, quota, number):
    group(tmp_path / "mount/cpu/docker/abc", cfs_quota_us=quota, cfs_period_us=100_000)
    assert granted("4:memory:/other\n2:cpu,cpuacct:/docker/abc\n0::/\n") == number


def test_a_group_around_may_grant_less(tmp_path, granted):
    group(tmp_path / "mount/slice", max="200000 100000")
    group(tmp_path / "mount/slice/job", max="800000 100000")
    assert granted("0::/slice/job\n") == 2


def test_no_more_is_granted_than_is_seen(tmp_path, granted):
    group(tmp_path / "mount", max="9900000 100000")
    assert granted("0::/\n") == NUM_SEEN


def test_machines_without_groups(granted):
    assert granted("") == NUM_SEEN


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def six_granted(two_threads, monkeypatch):
    monkeypatch.setattr(processors, "num_seen", lambda: NUM_SEEN)
    monkeypatch.setattr(processors, "num_granted", lambda: 6)
    # `conftest.py` has set it, so that it is put back.
    monkeypatch.delenv("OMP_NUM_THREADS")


def test_torch_takes_as_many_threads_as_are_granted_and_says_so(six_granted):
    assert share_granted_processors(1) is None
    torch.set_num_threads(8)
    assert share_granted_processors(1) == "granted are 6 of 64 processors: this process computes in 6 threads"
    assert torch.get_num_threads() == 6
    assert "OMP_NUM_THREADS" not in os.environ


@pytest.mark.parametrize(("num_ranks", "share", "said"), [(2, 3, "3 threads"), (16, 1, "1 thread")])
def test_ranks_share_what_is_granted(six_granted, num_ranks, share, said):
    assert share_granted_processors(num_ranks).endswith(f"each rank computes in {said}")
    assert os.environ["OMP_NUM_THREADS"] == str(share)
    assert torch.get_num_threads() == share


def test_whoever_sets_the_number_of_threads_has_chosen(six_granted, monkeypatch):
    torch.set_num_threads(8)
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    assert share_granted_processors(1) is share_granted_processors(2) is None
    assert torch.get_num_threads() == 8


@pytest.mark.parametrize("num_ranks", [1, 2])
def test_where_all_that_is_seen_is_granted_nothing_is_changed(six_granted, monkeypatch, num_ranks):
    monkeypatch.setattr(processors, "num_granted", lambda: NUM_SEEN)
    assert share_granted_processors(num_ranks) is None
    assert "OMP_NUM_THREADS" not in os.environ


def hash_on(processor, begun, leave):
    os.sched_setaffinity(0, {processor})
    for _ in range(4):
        hashlib.blake2b(bytes(50 << 20))
    begun.release()
    leave.wait()


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="the system does not tell how long threads wait")
def test_threads_that_share_a_processor_wait_for_each_other():
    processor, begun, leave = min(os.sched_getaffinity(0)), threading.Semaphore(0), threading.Event()
    threads = [threading.Thread(target=hash_on, args=(processor, begun, leave)) for _ in range(2)]
    before = seconds_waited()
    for thread in threads:
        thread.start()
    for _ in threads:
        begun.acquire()
    waited = seconds_waited() - before
    leave.set()
    for thread in threads:
        thread.join()
    assert waited > 0.05
