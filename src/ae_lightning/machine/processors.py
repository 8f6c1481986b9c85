"""How many processors this process may use: torch counts those that it sees, and not what a container grants."""

from __future__ import annotations

import math
import os
from pathlib import Path

import torch

from ae_lightning.machine.control_groups import MEMBERSHIP, MOUNT, Group, groups_of, lines_of


def num_seen() -> int:
    """Return the number of processors that this process may run on, as the system schedules it."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def num_granted(mount: Path = MOUNT, membership: Path = MEMBERSHIP) -> int:
    """Return how many of them it may keep busy, at least 1: a container's or a job's quota may be less.

    Args:
        mount: Where the control groups are.
        membership: The file that says which groups the process is in.
    """
    quotas = (_quota(group) for group in groups_of("cpu", mount, membership))
    return max(1, math.floor(min([num_seen(), *(quota for quota in quotas if quota is not None)])))


def _quota(group: Group) -> float | None:
    names = ("cpu.max",) if group.version == 2 else ("cpu.cfs_quota_us", "cpu.cfs_period_us")
    words = [word for name in names for line in lines_of(group.folder / name) for word in line.split()]
    # Without a limit the quota is the word `max`, or −1.
    is_limited = len(words) == 2 and words[0].isdecimal()
    return int(words[0]) / int(words[1]) if is_limited else None


def share_granted_processors(num_ranks: int) -> str | None:
    """Let torch compute in no more threads than there are processors granted, which the ranks of this machine share.

    More of them do not only wait: while they wait for each other they use up what is granted. Lightning deals out the
    processors that it sees, unless the environment says another number. Whoever sets OMP_NUM_THREADS has chosen.

    Args:
        num_ranks: How many there are on this machine.

    Returns:
        What was changed, in a line; None if nothing.
    """
    granted, seen = num_granted(), num_seen()
    share = max(1, granted // num_ranks)
    if granted >= seen or "OMP_NUM_THREADS" in os.environ:
        return None
    if num_ranks > 1:
        os.environ["OMP_NUM_THREADS"] = str(share)
    elif torch.get_num_threads() <= share:
        return None
    torch.set_num_threads(share)
    who = "each rank" if num_ranks > 1 else "this process"
    return f"granted are {granted} of {seen} processors: {who} computes in {share} thread{'s' * (share > 1)}"


def seconds_waited() -> float | None:
    """Return how long this process's threads were ready to run while others ran; None where the system tells not."""
    try:
        told = [path.read_text().split() for path in Path("/proc/self/task").glob("*/schedstat")]
    except OSError:  # a thread that has just ended
        return None
    return sum(int(waited) for _, waited, _ in told) / 1e9 if told else None
