"""A comparison for other programs: every row, setting and measure."""

from __future__ import annotations

import csv
import io

from ae_lightning.comparison.table import Comparison

SPREAD = "_spread"
"""Ends the name of a column of deviations over seeds."""


def to_csv(comparison: Comparison) -> str:
    """Write one line a row, unrounded; a measure that varies over seeds has its deviation in a column of its own.

    Args:
        comparison: The numbers.

    Returns:
        Columns `run`, `variant`, `latent_dim`, `status`, `num_runs`, the settings that differ, and the measures.
    """
    spreads = {name for row in comparison.rows for name, value in row.values.items() if value.spread is not None}
    settings = comparison.setting_names()
    measures = [
        column for name in comparison.measures for column in (name, *([name + SPREAD] if name in spreads else []))
    ]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["run", "variant", "latent_dim", "status", "num_runs", *settings, *measures])
    for row in comparison.rows:
        numbers: dict[str, float | None] = {name: value.mean for name, value in row.values.items()}
        numbers |= {name + SPREAD: value.spread for name, value in row.values.items()}
        told = (row.settings.get(key, "") for key in settings)
        head = (row.label, row.variant, row.latent_dim, row.status, len(row.runs))
        writer.writerow([*head, *told, *(numbers.get(name) for name in measures)])
    return text.getvalue()
