"""A comparison as Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ae_lightning.compare.table import UNFINISHED, Comparison, Row


def to_markdown(comparison: Comparison) -> str:
    """Write a table for each latent_dim, the best of each measure in bold.

    Args:
        comparison: The numbers.

    Returns:
        Markdown, with a line that says how to read it.
    """
    seeds = max((len(row.runs) for row in comparison.rows), default=1)
    note = f"{comparison.note} The best of each column in bold"
    note += "; mean ± standard deviation over seeds." if seeds > 1 else "."
    note += f" {UNFINISHED}" if comparison.has_unfinished else ""
    parts = [note]
    for latent_dim, rows in comparison.by_latent_dim().items():
        parts.append(f"## latent_dim {latent_dim}\n\n{_table(comparison, rows)}")
    return "\n\n".join(parts) + "\n"


def _table(comparison: Comparison, rows: Sequence[Row]) -> str:
    settings = comparison.setting_names()
    measures = [name for name in comparison.measures if any(name in row.values for row in rows)]
    rule = ["---"] * (1 + len(settings)) + ["---:"] * len(measures)
    lines = [_line(["variant", *map(escaped, [*settings, *measures])]), _line(rule)]
    for row in rows:
        told = map(escaped, [row.title, *(row.settings.get(key, "") for key in settings)])
        lines.append(_line([*told, *(_cell(comparison, row, name) for name in measures)]))
    return "\n".join(lines)


def _cell(comparison: Comparison, row: Row, measure: str) -> str:
    if measure not in row.values:
        return ""
    value = row.values[measure]
    return f"**{value}**" if comparison.is_best(row, measure) else str(value)


def escaped(text: str) -> str:
    """Write a text so that Markdown shows it as it is: no HTML, no link, no picture, nothing bold."""
    without_html = text.replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"[\\`*|~]|(?<=])[(\[]|(?<![^\W_])_|_(?![^\W_])", r"\\\g<0>", without_html)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
