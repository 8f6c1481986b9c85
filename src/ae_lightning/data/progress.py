"""A progress bar for work that turns out to take long."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress

Item = TypeVar("Item")

QUIET_SECONDS = 1.0


def track_slow(items: Sequence[Item], description: str) -> Iterator[Item]:
    """Go through items, with a bar on stderr once a second has passed, if stderr is a terminal.

    Args:
        items: What to go through.
        description: What is being done, at the head of the bar.

    Yields:
        The items.
    """
    if not sys.stderr.isatty():
        yield from items
        return
    progress = Progress(console=Console(stderr=True), transient=True)
    task = progress.add_task(description, total=len(items))
    shown_from = time.monotonic() + QUIET_SECONDS
    try:
        for item in items:
            if not progress.live.is_started and time.monotonic() > shown_from:
                progress.start()
            yield item
            progress.advance(task)
    finally:
        if progress.live.is_started:
            progress.stop()
