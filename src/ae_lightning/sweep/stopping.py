"""When a night ends before the study does: its time is up, or somebody ended it."""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from ae_lightning.machine.signals import ending_signals

REASONS: dict[int, str] = {signal.SIGHUP: "hung up", signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}


class Stop:
    """Says whether, and why, the sweep is to end.

    Args:
        timeout: Seconds until it is; None for never.
        follows_parent: Also end when the process that started this one is gone, as after SIGTERM.

    Attributes:
        exit_code: 128 and the signal that ended the sweep; 0 while none has.
    """

    def __init__(self, timeout: float | None = None, *, follows_parent: bool = False) -> None:
        self.exit_code = 0
        self._deadline = math.inf if timeout is None else time.monotonic() + timeout
        self._parent = os.getppid() if follows_parent else None
        self._numbers = ending_signals()
        self._signalled = threading.Event()
        self._reason: str | None = None

    @property
    def reason(self) -> str | None:
        """Why the sweep is to end; None while it is to go on."""
        if self._reason is None and time.monotonic() >= self._deadline:
            self._reason = "timeout"
        if self._reason is None and self._parent not in (None, os.getppid()):
            self._take(signal.SIGTERM)
        return self._reason

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

    def _take(self, number: int, frame: FrameType | None = None) -> None:
        if self._signalled.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        if self._reason is None:
            self._reason, self.exit_code = REASONS[number], 128 + number
        self._signalled.set()
