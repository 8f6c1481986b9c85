"""Running a program that is to end by itself when somebody asks for the end."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType


def run_to_its_end(command: Sequence[str]) -> int:
    """Run a program, and let it end by itself when it is to end: a training then writes a checkpoint.

    Returns:
        Its exit code, as a shell gives it; 130 or 143 where somebody asked for the end, even if it came all the same.
    """
    with subprocess.Popen(command) as program, _requests_to_end(program) as received:
        code = program.wait()
    if received:
        return 128 + received[-1]
    return code if code >= 0 else 128 - code


@contextmanager
def _requests_to_end(program: subprocess.Popen[bytes]) -> Iterator[list[int]]:
    """Note Ctrl-C, which a terminal sends to the program too, and SIGTERM, which is passed on to it."""
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if number == signal.SIGTERM:
            program.send_signal(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
