"""The clock that every contender carries: one line of JSON an epoch, of the same quantities for all.

It needs the standard library alone, so that it runs in the environments of other packages too.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

WARM_UP_EPOCHS = 1
"""Epochs before those that count: allocators, compilers and caches settle in them."""


class EpochClock:
    """Measures training epochs, and what lies between them, in the process that trains.

    An epoch lasts from the moment that its first batch is asked for to the end of its last step. Validation,
    checkpoints and judging come after that, and are the pause before the next epoch.

    Args:
        report: File that gets a line of JSON an epoch, with `images` and `steps` (counts), `seconds` (of the epoch),
            `processor_seconds` (of all the process's threads in it), `pause_seconds` (since the epoch before; 0 for the
            first), `startup_seconds` and `first_step_seconds` (from the start of the program), `peak_bytes` (of
            resident memory so far), `num_parameters` and `ended_at` (of `time.monotonic`).
        started_at: When the program was started, of the same clock in the starting process.
    """

    def __init__(self, report: Path, started_at: float) -> None:
        self._report = report
        self._started_at = started_at
        self._startup_seconds: float | None = None
        self._first_step_seconds: float | None = None
        self._began_at = 0.0
        self._last_step_at = 0.0
        self._processor_seconds = 0.0
        self._processor_began_at = 0.0
        self._pause_seconds = 0.0
        self._num_images = 0
        self._num_steps = 0

    def begin_epoch(self) -> None:
        """Note that an epoch's first batch is about to be asked for."""
        self._began_at = time.monotonic()
        if self._startup_seconds is None:
            self._startup_seconds = self._began_at - self._started_at
        else:
            self._pause_seconds = self._began_at - self._last_step_at
        self._num_images = 0
        self._num_steps = 0
        self._processor_began_at = time.process_time()

    def step(self, num_images: int) -> None:
        """Note that a step is done.

        Args:
            num_images: Images of its batch.
        """
        self._last_step_at = time.monotonic()
        self._processor_seconds = time.process_time() - self._processor_began_at
        if self._first_step_seconds is None:
            self._first_step_seconds = self._last_step_at - self._started_at
        self._num_images += num_images
        self._num_steps += 1

    def end_epoch(self, num_parameters: int) -> None:
        """Write the epoch's line.

        Args:
            num_parameters: Of the model, all of which are trained.
        """
        line = {
            "images": self._num_images,
            "steps": self._num_steps,
            "seconds": self._last_step_at - self._began_at,
            "processor_seconds": self._processor_seconds,
            "pause_seconds": self._pause_seconds,
            "startup_seconds": self._startup_seconds,
            "first_step_seconds": self._first_step_seconds,
            "peak_bytes": peak_resident_bytes(),
            "num_parameters": num_parameters,
            "ended_at": self._last_step_at,
        }
        with self._report.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def peak_resident_bytes() -> int:
    """Return the most memory that this process held at once, in bytes.

    Linux's own count is read where there is one: `getrusage` there remembers the process that started this one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
