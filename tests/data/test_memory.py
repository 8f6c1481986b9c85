"""What a container or a job may take of the memory, on made-up control groups."""

import pytest

from ae_lightning.data.memory import memory_left, require_memory
from ae_lightning.errors import DataError

GIB = 1 << 30


def group(folder, limit, usage, **stat):
    """A group of version 2."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text(f"{usage}\n")
    (folder / "memory.stat").write_text("".join(f"{name} {value}\n" for name, value in stat.items()))


def group_1(folder, limit, usage, **stat):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.limit_in_bytes").write_text(f"{limit}\n")
    (folder / "memory.usage_in_bytes").write_text(f"{usage}\n")
    (folder / "memory.stat").write_text("".join(f"{name} {value}\n" for name, value in stat.items()))


@pytest.fixture
def left(tmp_path):
    def of(membership):
        (tmp_path / "membership").write_text(membership)
        return memory_left(tmp_path / "mount", tmp_path / "membership")

    return of


def test_the_limit_less_what_is_in_use(tmp_path, left):
    group(tmp_path / "mount/job", 8 * GIB, 3 * GIB)
    assert left("0::/job\n") == 5 * GIB


def test_pages_of_files_are_given_back(tmp_path, left):
    group(tmp_path / "mount/job", 8 * GIB, 8 * GIB, anon=2 * GIB, inactive_file=5 * GIB, active_file=GIB)
    assert left("0::/job\n") == 6 * GIB


def test_a_group_around_may_grant_less(tmp_path, left):
    group(tmp_path / "mount/job", 4 * GIB, 3 * GIB)
    group(tmp_path / "mount/job/step", 8 * GIB, 0)
    group(tmp_path / "mount/job/step/task", "max", GIB)
    assert left("0::/job/step/task\n") == GIB


def test_more_in_use_than_granted_leaves_nothing(tmp_path, left):
    group(tmp_path / "mount/job", GIB, 2 * GIB)
    assert left("0::/job\n") == 0


def test_version_1(tmp_path, left):
    unlimited = 9223372036854771712
    group_1(tmp_path / "mount/memory", unlimited, 6 * GIB)
    group_1(tmp_path / "mount/memory/slurm/job", 8 * GIB, 3 * GIB, inactive_file=GIB, total_inactive_file=2 * GIB)
    assert left("9:name=systemd:/\n4:memory:/slurm/job\n1:cpu,cpuacct:/other\n0::/\n") == 7 * GIB


def test_a_container_that_sees_its_own_group_alone(tmp_path, left):
    group_1(tmp_path / "mount/memory", 2 * GIB, GIB)
    assert left("4:memory:/docker/abc\n") == GIB


@pytest.mark.parametrize("membership", ["", "0::/\n", "0::/../..\n", "1:cpu:/job\n"])
def test_no_limit(tmp_path, left, membership):
    group(tmp_path / "mount/job", GIB, 0)
    assert left(membership) is None


def test_machines_without_groups(tmp_path):
    assert memory_left(tmp_path / "none", tmp_path / "no file") is None


def test_what_is_granted_counts_where_more_is_free(monkeypatch):
    require_memory(2000, "this")
    monkeypatch.setattr("ae_lightning.data.memory.memory_left", lambda: 1999)
    with pytest.raises(DataError, match=r"this needs 0\.0 GiB of memory"):
        require_memory(2000, "this")
