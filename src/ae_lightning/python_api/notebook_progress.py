"""The progress of a training in a notebook: one line that is drawn anew, and stays when the training is over."""

from __future__ import annotations

import time
from html import escape
from importlib import import_module
from typing import Any

import lightning.pytorch as pl
from rich.console import Console

from ae_lightning.callbacks.narration import NarratingBar, Narration

SHOWN_METRICS = ("train/loss", "val/loss")

REFRESHES_PER_SECOND = 2.0


def is_in_notebook() -> bool:
    """Whether this program is a notebook's, and its output a page."""
    return Console().is_jupyter


class NotebookProgress(NarratingBar):
    """Shows epochs and losses of a training, and what is judged and drawn."""

    def __init__(self) -> None:
        super().__init__()
        self._is_enabled = True
        self._handle: Any = None
        self._next_drawing = 0.0
        self._losses = self._said = ""

    def disable(self) -> None:
        """Draw nothing: Lightning asks this of every rank but the first."""
        self._is_enabled = False

    def enable(self) -> None:
        """Draw again."""
        self._is_enabled = True

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin the line."""
        self._draw(0.0, "training")

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Draw, if it is time."""
        if time.monotonic() >= self._next_drawing:
            done = trainer.current_epoch + (batch_idx + 1) / max(1, trainer.num_training_batches)
            self._draw_epoch(trainer, done)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note the losses, and draw if it is time or the training is over."""
        found = trainer.callback_metrics
        self._losses = ", ".join(f"{name} {float(found[name]):.4g}" for name in SHOWN_METRICS if name in found)
        if time.monotonic() >= self._next_drawing:
            self._draw_epoch(trainer, trainer.current_epoch + 1)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Say how it ended."""
        self._draw_epoch(trainer, trainer.current_epoch)

    @property
    def narration(self) -> Narration:
        """Tells what runs between batches, behind what the training came to."""
        return _Behind(self)

    def add(self, text: str = "") -> None:
        """Draw the line with something behind it."""
        self._draw(1.0, f"{self._said}  {text}".rstrip())

    def _draw_epoch(self, trainer: pl.Trainer, done: float) -> None:
        last = trainer.max_epochs if trainer.max_epochs not in (None, -1) else None
        of_all = f"{int(done)}/{last} epochs" if last else f"{int(done)} epochs"
        share = done / last if last else 0.0
        self._said = f"{of_all}  {self._losses}"
        self._draw(share, self._said)

    def _draw(self, share: float, text: str) -> None:
        self._next_drawing = time.monotonic() + 1 / REFRESHES_PER_SECOND
        if not self._is_enabled:
            return
        # A notebook's kernel has it; nothing else needs it.
        shown = import_module("IPython.display")
        bar = f'<progress value="{share:.3f}" max="1" style="width: 16em; vertical-align: middle"></progress>'
        page = shown.HTML(f"{bar} {escape(text)}")
        if self._handle is None:
            self._handle = shown.display(page, display_id=True)
        else:
            self._handle.update(page)


class _Behind(Narration):
    """The part that runs, behind a line.

    Args:
        line: It.
    """

    def __init__(self, line: NotebookProgress) -> None:
        self._line = line
        self._what = ""

    def begin(self, what: str) -> None:
        """See ``Narration.begin``."""
        self._what = what
        self._line.add(what)

    def tell(self, part: str, number: int, num_parts: int | None) -> None:
        """See ``Narration.tell``."""
        self._line.add(f"{self._what} {number}/{num_parts or number}: {part}")

    def end(self, said: str | None) -> None:
        """See ``Narration.end``."""
        self._line.add()
