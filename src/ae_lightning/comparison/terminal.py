"""A comparison in the terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ae_lightning.comparison.answer import Sentence, answer
from ae_lightning.comparison.columns import LEGEND, Columns, all_columns, first_columns, heading
from ae_lightning.comparison.contest import Row
from ae_lightning.comparison.table import Comparison
from ae_lightning.judging.directions import BEST
from ae_lightning.judging.measure import Goal

HEADING_WIDTH = 12
"""Letters after which the name of a measure is broken."""

MIN_NAME = 16
"""Letters of a line that the name of a run has at least."""

BESIDE_MEASURES = MIN_NAME + 11
"""Letters that places and names of runs take with what stands between columns."""


def to_terminal(comparison: Comparison, goal: Goal, width: int, *, with_all: bool = False) -> Iterator[RenderableType]:
    """Give what is printed: which rows are best for what, and a table of each contest.

    Args:
        comparison: The numbers.
        goal: What the rows are ranked by.
        width: Letters of a line.
        with_all: Whether all measures are shown, in a table of each goal, and not the first ones alone.
    """
    for contest in comparison.contests(by_latent_dim=False):
        if contest.name:
            yield Text(f"Of {contest.name}:")
        for sentence in answer(contest, goal):
            yield _bullet(sentence)
    for contest in comparison.contests(by_latent_dim=True):
        tables = all_columns(contest, goal) if with_all else [first_columns(contest, goal)]
        for table in tables:
            yield from _tables(contest.name, goal, table, width)
    yield Text(f"{comparison.note} {LEGEND}", style="dim")


def _bullet(sentence: Sentence) -> RenderableType:
    line = Table.grid(padding=(0, 1))
    line.add_column(width=1)
    line.add_column()
    line.add_row("•", Text.assemble(*((words.text, "bold" if words.is_name else "") for words in sentence)))
    return line


def _tables(name: str, goal: Goal, columns: Columns, width: int) -> Iterator[RenderableType]:
    """Give a table, or several where a line has no room for all of the measures: names are never left out for them."""
    title = f"{name}, {columns.title or f'ranked by how well they {goal}'}"
    measures: list[str] = []
    room = 0
    for measure in columns.measures:
        needed = _width(columns, measure)
        if measures and needed > room:
            yield _table(title, replace(columns, measures=tuple(measures)))
            measures = []
        room = (room if measures else width - BESIDE_MEASURES) - needed
        measures.append(measure)
    yield _table(title, replace(columns, measures=tuple(measures)))


def _width(columns: Columns, measure: str) -> int:
    texts = (_broken(heading(measure)), *(_cell(columns, row, measure).plain for row in columns.rows))
    return 2 + max(len(line) for text in texts for line in text.split("\n"))


def _table(title: str, columns: Columns) -> RenderableType:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("place", justify="right")
    table.add_column("run", min_width=MIN_NAME)
    for measure in columns.measures:
        table.add_column(Text(_broken(heading(measure))), justify="right", no_wrap=True)
    for row in columns.rows:
        cells = [_cell(columns, row, measure) for measure in columns.measures]
        table.add_row(Text(columns.place(row)), Text(row.label), *cells, style=None if row.is_finished else "dim")
    return Group(Text(f"\n{title}", style="bold"), table)


def _broken(name: str) -> str:
    """Break a name between its words: columns stay as narrow as their numbers."""
    lines = [""]
    for word in re.findall(r"[^_]+_?", name):
        if len(lines[-1] + word) > HEADING_WIDTH:
            lines.append("")
        lines[-1] += word
    return "\n".join(lines)


def _cell(columns: Columns, row: Row, measure: str) -> Text:
    if measure not in row.values:
        return Text("")
    value = row.values[measure]
    is_best = columns.is_best(row, measure)
    spread = "" if value.spread is None else f"\n± {value.spread:.4f}"
    return Text(
        f"{BEST} {value.mean:.4f}{spread}" if is_best else f"{value.mean:.4f}{spread}", "bold" if is_best else ""
    )
