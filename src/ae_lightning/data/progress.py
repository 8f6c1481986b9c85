"""A progress bar for work that turns out to take long."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress, ProgressColumn, Task
from rich.text import Text

Item = TypeVar("Item")

QUIET_SECONDS = 1.0


class _Rate(ProgressColumn):
    """How many items are done in a second."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f} {self._unit}/s" if task.speed else "")


def track_slow(items: Sequence[Item], description: str, unit: str | None = None) -> Iterator[Item]:
    """Go through items, with a bar on stderr once a second has passed, if stderr is a terminal.

    Args:
        items: What to go through.
        description: What is being done, at the head of the bar.
        unit: What is counted a second, at its end; None for no such number.

    Yields:
        The items.
    """
    if not sys.stderr.isatty():
        yield from items
        return
    rate = [] if unit is None else [_Rate(unit)]
    progress = Progress(*Progress.get_default_columns(), *rate, console=Console(stderr=True), transient=True)
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
