"""The control groups of Linux that this process is in: what a container, a job or a service grants."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

MOUNT = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


class Group(NamedTuple):
    """A control group.

    Attributes:
        version: Of the interface, which names its files.
        folder: Where these are.
    """

    version: Literal[1, 2]
    folder: Path


def groups_of(
    controller: Literal["cpu", "memory"], mount: Path = MOUNT, membership: Path = MEMBERSHIP
) -> Iterator[Group]:
    """Yield each group that the process is in, and each group around that one; none where there are none.

    Args:
        controller: What the groups grant.
        mount: Where the control groups are.
        membership: The file that says which groups the process is in.
    """
    for line in lines_of(membership):
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        top = mount / controller if controllers else mount
        # In a container the path may be that of the machine, of which only the top is there.
        group = PurePosixPath(path.lstrip("/"))
        for around in (group, *group.parents):
            yield Group(1 if controllers else 2, top / around)


def lines_of(path: Path) -> list[str]:
    """Return the lines of a file of the kernel's; none where it is not there."""
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
