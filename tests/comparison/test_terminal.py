"""The comparison as it is printed."""

from __future__ import annotations

import io
import re

import pytest
from handmade_runs import tracked
from rich.console import Console

from ae_lightning.comparison.table import compare_runs
from ae_lightning.comparison.terminal import to_terminal
from ae_lightning.judging.measure import known_measures


@pytest.mark.parametrize("width", [50, 80, 100])
@pytest.mark.parametrize("with_all", [False, True])
def test_no_name_and_no_number_is_cut_off(width, with_all):
    names = [name for measure in known_measures() for name in measure.metrics]
    metrics = {**dict.fromkeys(names, 12.3456), **{f"pca_{name}": 12.3456 for name in names}}
    runs = [tracked("VanillaAE", metrics), *(tracked("VAE", metrics, seed_everything=str(seed)) for seed in range(2))]
    comparison = compare_runs(runs)
    printed = Console(file=io.StringIO(), width=width)
    for part in to_terminal(comparison, "reconstruct", printed.width, with_all=with_all):
        printed.print(part, highlight=False)
    text = printed.file.getvalue()
    assert "…" not in text
    tables = text.split("\nlatent_dim 2, ")[1:]
    shown = sum(len(re.findall(r"12\.3456", table)) for table in tables)
    assert shown == 3 * (len(names) if with_all else 6)
    for table in tables:
        assert all(f" {run}-2 " in table for run in ("VanillaAE", "VAE", "PCA"))
