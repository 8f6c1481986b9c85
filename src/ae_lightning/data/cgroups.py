"""What is left of the memory that Linux's control groups grant: a container's, or a SLURM job's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

MOUNT = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


class _Files(NamedTuple):
    """Where a group says what it grants.

    Attributes:
        limit: File of the limit in bytes.
        usage: File of what is in use, pages of files among it.
        given_back: Entries of `memory.stat` that count those pages, which the kernel takes back where it needs room.
    """

    limit: str
    usage: str
    given_back: tuple[str, ...]


_V1 = _Files("memory.limit_in_bytes", "memory.usage_in_bytes", ("total_inactive_file", "total_active_file"))
_V2 = _Files("memory.max", "memory.current", ("inactive_file", "active_file"))


def memory_left(mount: Path = MOUNT, membership: Path = MEMBERSHIP) -> int | None:
    """Return how many bytes the groups of this process still grant, the fewest of them.

    Args:
        mount: Where the control groups are, of version 2 or 1.
        membership: The file that says which groups the process is in.

    Returns:
        None where there are no groups, or none has a limit.
    """
    found = (_left_in(folder, files) for folder, files in _groups(mount, membership))
    return min((left for left in found if left is not None), default=None)


def _groups(mount: Path, membership: Path) -> Iterator[tuple[Path, _Files]]:
    """Yield the folder of each group that the process is in, and of each group around that one."""
    for line in _lines(membership):
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        top, files = (mount / "memory", _V1) if controllers else (mount, _V2)
        # In a container the path may be that of the machine, of which only the top is there.
        group = PurePosixPath(path.lstrip("/"))
        for around in (group, *group.parents):
            yield top / around, files


def _left_in(folder: Path, files: _Files) -> int | None:
    try:
        limit, usage = (int((folder / name).read_text()) for name in (files.limit, files.usage))
    except (OSError, ValueError):  # no such group, or its limit is the word `max`
        return None
    counts = dict(line.split(" ", 1) for line in _lines(folder / "memory.stat"))
    given_back = sum(int(counts.get(name, 0)) for name in files.given_back)
    return max(0, limit - max(0, usage - given_back))


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
