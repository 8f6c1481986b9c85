"""Waiting, and saying for what: for another process, or for work that nothing else tells of."""

from __future__ import annotations

import os
import platform
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout
from lightning_utilities.core.rank_zero import rank_zero_warn
from rich.console import Console
from rich.status import Status

SECONDS_IN_SILENCE = 10.0
"""How long a wait may take before it is told of."""

SECONDS_ON_TERMINALS = 1.0
"""How long where the line is taken away again."""


class HeldTooLongError(OSError):
    """Another process did not let go of a lock."""


@contextmanager
def said_if_slow(what: str) -> Iterator[None]:
    """Say what is done once it takes long: on a terminal until it is done, elsewhere in a line that stays.

    Nothing else may be drawn meanwhile.

    Args:
        what: Such as `delivering to MLflow`.
    """
    console = Console(stderr=True)
    status = Status(what, console=console) if console.is_terminal else None

    def say() -> None:
        if status is not None:
            status.start()
        else:
            console.print(what, highlight=False, soft_wrap=True, markup=False)

    timer = threading.Timer(SECONDS_IN_SILENCE if status is None else SECONDS_ON_TERMINALS, say)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        # It may have begun to say it.
        timer.join()
        if status is not None:
            status.stop()


@contextmanager
def holding(lock: Path, patience: float) -> Iterator[None]:
    """Hold a lock, and say who has it if it has to be waited for.

    Args:
        lock: Its file, which stays.
        patience: Seconds to wait.

    Raises:
        HeldTooLongError: If another process has it for longer.
        OSError: If its file cannot be made.
    """
    held = FileLock(lock)
    try:
        _acquire(held, lock, patience)
        # For others, who may have to wait.
        with suppress(OSError):
            lock.write_text(f"process {os.getpid()} on {platform.node()}", encoding="utf-8")
        yield
    finally:
        held.release()


def _acquire(held: FileLock, lock: Path, patience: float) -> None:
    try:
        held.acquire(timeout=min(SECONDS_IN_SILENCE, patience))
    except Timeout:
        left = max(0.0, patience - SECONDS_IN_SILENCE)
        rank_zero_warn(f"waiting for {_holder(lock)}, which has {lock}, for at most {left:.0f} seconds more")
        try:
            held.acquire(timeout=left)
        except Timeout:
            raise HeldTooLongError(f"{_holder(lock)} has {lock} for too long; end it and try again") from None


def _holder(lock: Path) -> str:
    try:
        return lock.read_text(encoding="utf-8", errors="replace").strip()[:100] or "another process"
    except OSError:
        return "another process"
