"""When a night ends before the study does: its time is up, or somebody ended it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Literal

from ae_lightning.machine.signals import ending_signals

StopReason = Literal["timeout", "hung up", "interrupted", "terminated"]

SECONDS_FOR_A_TRAINING = 45.0
"""How long a training in processes of its own may take to end when it is asked to."""

SECONDS_FOR_A_WORKER = 60.0
"""The same of a worker: longer, as it may have to wait for its training, and then puts the trial back."""

REASON_OF_SIGNAL: dict[int, StopReason] = {
    signal.SIGHUP: "hung up",
    signal.SIGINT: "interrupted",
    signal.SIGTERM: "terminated",
}


class Stop:
    """Says whether, and why, the sweep is to end.

    Args:
        timeout: Seconds until it is; None for never.
        follows_parent: Also end when the process that started this one is gone.
    """

    def __init__(self, timeout: float | None = None, *, follows_parent: bool = False) -> None:
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._parent = os.getppid() if follows_parent else None
        self._numbers = ending_signals()
        self._signalled = threading.Event()
        self._reason: StopReason | None = None

    @property
    def reason(self) -> StopReason | None:
        """Why the sweep is to end; None while it is to go on."""
        if self._reason is None and self._deadline is not None and time.monotonic() >= self._deadline:
            self._reason = "timeout"
        if self._reason is None and self._parent is not None and os.getppid() != self._parent:
            self._reason = "terminated"
        return self._reason

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the deadline; None where there is none."""
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def wait(self, seconds: float) -> None:
        """Wait, but not longer than until somebody ends the sweep."""
        self._signalled.wait(seconds)

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """Take Ctrl-C, SIGTERM and SIGHUP for a wish to end; a second Ctrl-C ends at once."""
        before = {number: signal.getsignal(number) for number in self._numbers}
        self.listen()
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def listen(self) -> None:
        """Take the signals over; called again after another library has taken them."""
        for number in self._numbers:
            signal.signal(number, self._take)

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self._signalled.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        self._reason = self._reason or REASON_OF_SIGNAL[number]
        self._signalled.set()
