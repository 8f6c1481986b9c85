"""Measures beside PCA's, as text and as HTML, in the order of the table at the end of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import NamedTuple

from ae_lightning.command_line.report import measure_rows


class _Line(NamedTuple):
    goal: str
    name: str
    own: str
    pca: str


def measures_as_text(measures: Mapping[str, float]) -> str:
    """Return a line a measure; nothing where there are none."""
    lines = list(_lines(measures))
    widths = [max((len(line[column]) for line in lines), default=0) for column in range(3)]
    return "\n".join(
        f"{line.goal:{widths[0]}}  {line.name:{widths[1]}}  {line.own:>{widths[2]}}  {line.pca:>10}".rstrip()
        for line in [_Line("to", "measure", "autoencoder".rjust(widths[2]), "PCA"), *lines]
        if lines
    )


def measures_as_html(title: str, measures: Mapping[str, float]) -> str:
    """Return a table below a title; the title alone where there are no measures."""
    heading = f"<p><b>{escape(title)}</b></p>"
    lines = list(_lines(measures))
    if not lines:
        return heading
    cells = [["to", "measure", "autoencoder", "PCA"], *([escape(cell) for cell in line] for line in lines)]
    rows = [
        "<tr>"
        + "".join(f'<{tag} style="text-align: {side}">{cell}</{tag}>' for cell, side in zip(row, _SIDES, strict=True))
        + "</tr>"
        for tag, row in zip(["th", *["td"] * len(lines)], cells, strict=True)
    ]
    return f"{heading}<table>{''.join(rows)}</table>"


_SIDES = ("left", "left", "right", "right")


def _lines(measures: Mapping[str, float]) -> Iterator[_Line]:
    for row in measure_rows(measures):
        yield _Line(row.goal if row.begins_section else "", row.heading, *[*row.values, ""][:2])
