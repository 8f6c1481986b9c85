"""SIGTERM, Ctrl-C and SIGHUP as requests to end, which a training answers at its next step."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from types import FrameType

SIGKILL, SIGTERM, SIGUSR1 = signal.SIGKILL, signal.SIGTERM, signal.SIGUSR1

_FIRST_RANK_VARIABLE = "AE_LIGHTNING_FIRST_RANK"
"""Tells the ranks that rank 0 starts which process that is."""
_PR_SET_PDEATHSIG = 1


def ending_signals() -> set[int]:
    """Return the signals that ask a program to end.

    A terminal that is closed sends SIGHUP. Where a program is started with that ignored, as by `nohup`, it stays so.
    """
    hangup = {signal.SIGHUP} if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN else set()
    return {signal.SIGTERM, signal.SIGINT, *hangup}


class Interrupted(BaseException):
    """Somebody ended the program.

    Attributes:
        number: The signal.
        exit_code: What the process exits with: 128 and the number.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number
        self.exit_code = 128 + number


class Requests:
    """Signals received, and whether they wait for a safe moment or take effect at once.

    Attributes:
        patience: Seconds that a request waits for a safe moment before it takes effect all the same.
        numbers: The signals that ask to end.
        received: The signal that waits, if any.
    """

    def __init__(self, patience: float = 8.0) -> None:
        self.patience = patience
        self.numbers = ending_signals()
        self.received: int | None = None
        self._waits = False
        self._repetition: threading.Timer | None = None

    def listen(self) -> None:
        """Take the signals over; called again after another library has taken them."""
        if threading.current_thread() is threading.main_thread():
            for number in self.numbers:
                signal.signal(number, self._handle)

    def wait_for_safe_moments(self, waits: bool) -> None:
        """Say whether there will be safe moments to end at.

        Raises:
            Interrupted: If a request has waited for one and there will be none.
        """
        self._waits = waits
        if not waits and self.received is not None:
            self.take_effect()

    def forget(self) -> None:
        """Let no request that waits take effect any more: the program is ending."""
        self.received = None
        self._waits = False
        self._stop_waiting()

    def take_effect(self) -> None:
        """End now.

        Raises:
            Interrupted: Always.
        """
        number = self.received or signal.SIGTERM
        self.received = None
        self._stop_waiting()
        raise Interrupted(number)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        is_repeated = self.received is not None
        self.received = number
        if not self._waits or is_repeated:
            self.take_effect()
        # The same signal once more takes effect at once.
        self._repetition = threading.Timer(self.patience, os.kill, (os.getpid(), number))
        self._repetition.daemon = True
        self._repetition.start()

    def _stop_waiting(self) -> None:
        if self._repetition is not None:
            self._repetition.cancel()
            self._repetition = None


def be_first_rank() -> None:
    """Let the ranks that this process starts know it."""
    os.environ[_FIRST_RANK_VARIABLE] = str(os.getpid())


def die_with_first_rank() -> None:
    """Let the kernel kill this process when rank 0, which started it, is gone, however that one ended; Linux alone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        # Rank 0 may be gone already, and the kernel tells of a death but once.
        if os.environ.get(_FIRST_RANK_VARIABLE, str(os.getppid())) != str(os.getppid()):
            os.kill(os.getpid(), signal.SIGKILL)


def is_started_by_rank_0() -> bool:
    """Whether this process is a rank that the Trainer of rank 0 started, not torchrun or a cluster."""
    return os.environ.get("LOCAL_RANK", "0") != "0" and "TORCHELASTIC_RUN_ID" not in os.environ
