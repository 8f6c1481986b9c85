"""The measurements as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.results import Row
from benchmarks.roster import CONTENDERS

HEADINGS = (
    *(
        "contender",
        "images/s",
        "images/processor-s",
        "`fit` ÷ it",
        "spread of the ratio",
        "peak, MiB",
        "start-up, s",
        "first step, s",
    ),
    *("pause, s", "longest, s", "after, s"),
)


def write_tables(rows: Sequence[Row], not_run: Mapping[str, str], conditions: Mapping[str, Any]) -> str:
    """Return a table for each model and batch size, who did not take part, and the conditions.

    Args:
        rows: What was measured.
        not_run: Why, by contender.
        conditions: By name.
    """
    groups: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.model, row.batch_size), []).append(row)
    parts = [_table(model, size, group) for (model, size), group in groups.items()]
    parts += [f"Not run: {name} ({' '.join(reason.split())})." for name, reason in not_run.items()]
    parts.append(write_conditions(conditions))
    return "\n\n".join(parts) + "\n"


def write_conditions(conditions: Mapping[str, Any]) -> str:
    """Return the conditions as a list."""
    return "\n".join(f"- {name}: {_shown(value)}" for name, value in conditions.items())


def markdown_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table: the first column is text, the others are numbers."""
    rule = ["---", *["--:"] * (len(headings) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (headings, rule, *rows))


def _table(model: str, batch_size: int, rows: Sequence[Row]) -> str:
    parameters = ", ".join(f"{count:,}" for count in sorted({row.num_parameters for row in rows}))
    images = ", ".join(f"{count:,}" for count in sorted({row.images_per_round for row in rows}))
    title = (
        f"**{model}, batch {batch_size:,}** ({parameters} parameters; {images} images a round, {rows[0].rounds} rounds)"
    )
    return f"{title}\n\n{markdown_table(HEADINGS, [_cells(row) for row in rows])}"


def _cells(row: Row) -> list[str]:
    return [
        CONTENDERS[row.contender].title,
        f"{row.images_per_second:,.0f}",
        f"{row.images_per_processor_second:,.0f}",
        "" if row.fit_ratio is None else f"{row.fit_ratio:.2f}",
        "" if row.ratio_spread is None else f"{row.ratio_spread:.1%}",
        f"{row.peak_mib:,.0f}",
        f"{row.startup_seconds:.1f}",
        f"{row.first_step_seconds:.1f}",
        f"{row.pause_seconds:.2f}",
        f"{row.longest_pause_seconds:.1f}",
        f"{row.seconds_after:.1f}",
    ]


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
