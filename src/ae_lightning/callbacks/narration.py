"""What runs between batches, said where the user looks: on the progress bar, or in lines where there is none."""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import lightning.pytorch as pl
from lightning.pytorch.callbacks import ProgressBar, RichProgressBar, TQDMProgressBar
from lightning.pytorch.callbacks.progress.tqdm_progress import Tqdm
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.text import Text

from ae_lightning.callbacks.progress import TrainingProgress

SECONDS_BETWEEN_LINES = 10.0
"""How often a stream that is no terminal is told of the part that runs, at most."""

_SHOWN_SECONDS = 1.0
_NUM_LONGEST = 3


class Narration:
    """Tells of a work's parts as they begin. This one says nothing: for all ranks but the first."""

    def begin(self, what: str) -> None:
        """Say what begins."""

    def tell(self, part: str, number: int, num_parts: int | None) -> None:
        """Say which part begins, and that the one before is done.

        Args:
            part: Its name.
            number: From 1.
            num_parts: Of how many; None where that is not known.
        """

    def end(self, said: str | None) -> None:
        """Take away what was drawn, and leave a line if there is one to leave."""


class NarratingBar(ProgressBar):
    """A progress bar that can be told itself; this one says nothing of anything."""

    @property
    def narration(self) -> Narration:
        """What tells it."""
        return Narration()


class Lines(Narration):
    """A line now and then, where nothing can be drawn.

    Args:
        console: Where to.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._what = ""
        self._next_line = 0.0

    def begin(self, what: str) -> None:
        """See ``Narration.begin``."""
        self._what = what
        self._next_line = time.monotonic() + SECONDS_BETWEEN_LINES

    def tell(self, part: str, number: int, num_parts: int | None) -> None:
        """See ``Narration.tell``."""
        if time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + SECONDS_BETWEEN_LINES
            _print(self._console, f"{self._what} {number}/{num_parts or number}: {part}")

    def end(self, said: str | None) -> None:
        """See ``Narration.end``."""
        if said is not None:
            _print(self._console, said)


class Bar(Narration):
    """A bar of its own, on which seconds go by while a part runs.

    Args:
        console: A terminal.
        before: Called before it is drawn: nothing else may be.
        after: Called when it is gone.
    """

    def __init__(
        self, console: Console, before: Callable[[], None] = lambda: None, after: Callable[[], None] = lambda: None
    ) -> None:
        self._console = console
        self._before = before
        self._after = after
        self._progress: Progress | None = None

    def begin(self, what: str) -> None:
        """See ``Narration.begin``."""
        self._before()
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(20),
            _Count(),
            _Part(),
            console=self._console,
            refresh_per_second=4,
            transient=True,
        )
        self._task = self._progress.add_task(what, total=None, part="", since=time.monotonic())
        self._progress.start()

    def tell(self, part: str, number: int, num_parts: int | None) -> None:
        """See ``Narration.tell``."""
        assert self._progress is not None
        self._progress.update(
            self._task, total=num_parts, completed=number - 1, part=part, since=time.monotonic(), refresh=True
        )

    def end(self, said: str | None) -> None:
        """See ``Narration.end``."""
        assert self._progress is not None
        self._progress.stop()
        self._progress = None
        if said is not None:
            _print(self._console, said)
        self._after()


class _Count(ProgressColumn):
    """How many parts are done; nothing of what has none."""

    def render(self, task: Task) -> Text:
        return Text("" if task.total is None else f"{task.completed:.0f}/{task.total:.0f}")


class _Part(ProgressColumn):
    """The part that runs, and for how long it has."""

    def render(self, task: Task) -> Text:
        seconds = time.monotonic() - task.fields["since"]
        shown = [task.fields["part"], f"{seconds:.0f} s" if seconds >= _SHOWN_SECONDS else ""]
        return Text(", ".join(filter(None, shown)))


class TqdmBar(Narration):
    """A bar below those of Lightning's `TQDMProgressBar`.

    Args:
        bar: It.
    """

    def __init__(self, bar: TQDMProgressBar) -> None:
        self._bar = bar

    def begin(self, what: str) -> None:
        """See ``Narration.begin``."""
        self._tqdm = Tqdm(
            desc=what,
            position=2 * self._bar.process_position + 2,
            leave=False,
            dynamic_ncols=True,
            file=sys.stdout,
            bar_format="{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]",
            mininterval=0,
        )

    def tell(self, part: str, number: int, num_parts: int | None) -> None:
        """See ``Narration.tell``."""
        self._tqdm.set_postfix_str(part, refresh=False)
        self._tqdm.n, self._tqdm.total = number - 1, num_parts
        self._tqdm.refresh()

    def end(self, said: str | None) -> None:
        """See ``Narration.end``."""
        self._tqdm.close()
        if said is not None:
            Tqdm.write(said)


class RichTask(Narration):
    """A further line among those of Lightning's `RichProgressBar`.

    Args:
        progress: What that draws on.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._what = ""

    def begin(self, what: str) -> None:
        """See ``Narration.begin``."""
        self._what = what
        # Lightning's columns take no task without a total, but one without end.
        self._task = self._progress.add_task(what, total=math.inf)

    def tell(self, part: str, number: int, num_parts: int | None) -> None:
        """See ``Narration.tell``."""
        described, total = f"{self._what}: {part}", math.inf if num_parts is None else num_parts
        self._progress.update(self._task, total=total, completed=number - 1, description=described, refresh=True)

    def end(self, said: str | None) -> None:
        """See ``Narration.end``."""
        self._progress.remove_task(self._task)
        if said is not None:
            _print(self._progress.console, said)


def narration_of(trainer: pl.Trainer) -> Narration:
    """Return what a Trainer's progress bar, if it has one, can be told by."""
    bar = trainer.progress_bar_callback
    console = Console(stderr=True)
    if not trainer.is_global_zero:
        return Narration()
    if isinstance(bar, NarratingBar):
        return bar.narration
    if isinstance(bar, TrainingProgress) and bar.is_drawn:
        return Bar(console, bar.pause, bar.resume)
    if isinstance(bar, TQDMProgressBar) and bar.is_enabled and sys.stdout.isatty():
        return TqdmBar(bar)
    if isinstance(bar, RichProgressBar) and bar.is_enabled and Console().is_terminal:
        is_live = bar.progress is not None and not bar._progress_stopped
        return RichTask(cast(Progress, bar.progress)) if is_live else Bar(Console())
    return Lines(console)


class Parts:
    """The parts of a work, perhaps on several threads: each is told of as it begins, and timed.

    Attributes:
        seconds: Wall time by part, in the order in which they ended.
    """

    def __init__(self, narration: Narration) -> None:
        self._narration = narration
        self._num_begun = 0
        self._num_expected: int | None = None
        self._telling = threading.Lock()
        self.seconds: dict[str, float] = {}

    def expect(self, num_parts: int) -> None:
        """Say how many are still to come, as far as this is known."""
        self._num_expected = self._num_begun + num_parts

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Surround a part."""
        with self._telling:
            self._num_begun += 1
            num_parts = None if self._num_expected is None else max(self._num_begun, self._num_expected)
            self._narration.tell(name, self._num_begun, num_parts)
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = time.perf_counter() - start


@contextmanager
def narrated(trainer: pl.Trainer, what: str, done: str | None = None) -> Iterator[Parts]:
    """Tell of the parts of a work that a Trainer's progress bar knows nothing of.

    Args:
        trainer: Has the bar.
        what: What is done, such as `judging`.
        done: What is said of it when it is done, such as `judged`, with the time, and the longest parts; None not to.
    """
    narration = narration_of(trainer)
    start = time.perf_counter()
    narration.begin(what)
    parts, said = Parts(narration), None
    try:
        yield parts
        said = None if done is None else _summary(done, time.perf_counter() - start, parts.seconds)
    finally:
        narration.end(said)


def _summary(done: str, seconds: float, parts: dict[str, float]) -> str:
    longest = sorted(parts, key=lambda name: -parts[name])[:_NUM_LONGEST]
    named = ", ".join(f"{name} {parts[name]:.1f} s" for name in longest)
    return f"{done} in {seconds:.1f} s, of which {named}" if named else f"{done} in {seconds:.1f} s"


def _print(console: Console, line: str) -> None:
    console.print(line, highlight=False, soft_wrap=True, markup=False)
