"""One process trains a run at a time."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock, Timeout

_NAME = "training.lock"


class RunLock:
    """Keeps other processes from training a run, until it is released or the process ends, however it does.

    The kernel lets go of the lock with the process: a run that was killed can be gone on with at once.

    Args:
        folder: The run's checkpoints.
    """

    def __init__(self, folder: Path) -> None:
        # One for all who ask in this process: who goes on with a run, and who writes its checkpoints. And no lock that
        # is a mere file, which would outlive a process that was killed.
        self._lock = FileLock(
            folder.resolve() / _NAME, blocking=False, thread_local=False, is_singleton=True, fallback_to_soft=False
        )

    def take(self) -> bool:
        """Take it, and return whether no other process has it; on a file system without locks none has."""
        try:
            self._lock.acquire()
        except Timeout:
            return False
        except (OSError, NotImplementedError):
            pass
        return True

    def release(self) -> None:
        """Let go of it, however often it was taken."""
        self._lock.release(force=True)
