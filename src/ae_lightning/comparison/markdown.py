"""A comparison as Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ae_lightning.comparison.answer import Sentence, answer
from ae_lightning.comparison.columns import LEGEND, Columns, all_columns, first_columns, heading
from ae_lightning.comparison.contest import Contest, Row
from ae_lightning.comparison.table import Comparison
from ae_lightning.judging.directions import BEST
from ae_lightning.judging.measure import Goal


def to_markdown(comparison: Comparison, goal: Goal, *, with_all: bool = False) -> str:
    """Write which rows are best for what, and a table of each contest, the best of each measure marked.

    Args:
        comparison: The numbers.
        goal: What the rows are ranked by.
        with_all: Whether all measures are shown, in a table of each goal, and not the first ones alone.

    Returns:
        Markdown, with a line that says how to read it.
    """
    parts = [answer_in_markdown(comparison, goal), f"{comparison.note} {LEGEND}"]
    for contest in comparison.contests(by_latent_dim=True):
        tables = all_columns(contest, goal) if with_all else [first_columns(contest, goal)]
        parts.append(f"## {escaped(contest.name)}")
        for table in tables:
            parts += [f"### {escaped(table.title)}"] * bool(table.title) + [_table(table)]
    return "\n\n".join(parts) + "\n"


def answer_in_markdown(comparison: Comparison, goal: Goal) -> str:
    """Write which rows are best for what: a list for what was judged on the same samples, the goal first."""
    return "\n\n".join(_answer(contest, goal) for contest in comparison.contests(by_latent_dim=False))


def _answer(contest: Contest, goal: Goal) -> str:
    head = [f"Of {escaped(contest.name)}:\n"] if contest.name else []
    return "\n".join([*head, *(f"- {_sentence(sentence)}" for sentence in answer(contest, goal))])


def _sentence(sentence: Sentence) -> str:
    return "".join(f"**{escaped(words.text)}**" if words.is_name else escaped(words.text) for words in sentence)


def _table(table: Columns) -> str:
    head = ["place", "run", *(escaped(heading(name)) for name in table.measures)]
    rule = ["---:", "---", *["---:"] * len(table.measures)]
    return "\n".join(map(_line, [head, rule, *(_cells(table, row) for row in table.rows)]))


def _cells(table: Columns, row: Row) -> list[str]:
    return [table.place(row), escaped(row.label), *(_cell(table, row, name) for name in table.measures)]


def _cell(table: Columns, row: Row, measure: str) -> str:
    if measure not in row.values:
        return ""
    return f"{BEST} {row.values[measure]}" if table.is_best(row, measure) else str(row.values[measure])


def escaped(text: str) -> str:
    """Write a text so that Markdown shows it as it is: no HTML, no link, no picture, nothing bold."""
    without_html = text.replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"[\\`*|~]|(?<=])[(\[]|(?<![^\W_])_|_(?![^\W_])", r"\\\g<0>", without_html)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
