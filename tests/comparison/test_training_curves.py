"""Curves of several runs: one axis for what measures the same, one each for what does not."""

from __future__ import annotations

import pytest
from handmade_runs import measured, tracked

from ae_lightning.comparison.curves import MAX_POINTS, Curve, Panel, draw_curves
from ae_lightning.comparison.table import compare_runs
from ae_lightning.comparison.training import training_curves


@pytest.mark.parametrize("num_points", [1, MAX_POINTS, MAX_POINTS + 1, 2 * MAX_POINTS - 1, 2 * MAX_POINTS + 1, 12_345])
def test_long_curves_are_thinned_and_keep_their_end(num_points):
    points = [(step, 1.0 / (step + 1)) for step in range(num_points)]
    (line,) = draw_curves([Panel("", [Curve("VAE-2", points)], {})], "mse", ["VAE-2"]).data
    shown = list(zip(line.x, line.y, strict=True))
    assert min(num_points, MAX_POINTS // 2) <= len(shown) <= MAX_POINTS
    assert shown[-1] == points[-1]
    assert shown == sorted(shown)
    assert set(shown) <= set(points)


def test_objectives_have_axes_of_their_own_and_errors_share_one_with_pca():
    runs = [
        tracked("VAE", measured(0.1, 0.5), model__beta="1.0", model__optimizer__lr="0.1"),
        tracked("VAE", measured(0.2, 0.5), model__beta="1.0", model__optimizer__lr="0.2"),
        tracked("VAE", measured(0.3, 0.5), model__beta="4.0", model__optimizer__lr="0.1"),
        tracked("DoubleAE", measured(0.4, 0.5), model__optimizer__lr="0.1"),
    ]
    comparison = compare_runs(runs)
    logged = {"val/mse": 0.3, "val/pca_mse": 0.25, "val/loss": 20.0, "train/loss": 30.0}
    errors, objectives = training_curves(
        comparison, comparison.rows, lambda run, metric: [(0, logged[metric]), (9, logged[metric])]
    )
    assert {line.yaxis for line in errors.data} == {"y"}
    assert [line.name for line in errors.data][-1] == "PCA-2"
    assert [title.text for title in objectives.layout.annotations] == ["VAE, beta 1.0", "VAE, beta 4.0", "DoubleAE"]
    axes = {}
    for line in objectives.data:
        axes.setdefault(line.yaxis, set()).add(line.name)
    assert [len(names) for names in axes.values()] == [2, 1, 1]
    colours = [{line.name: line.line.color for line in figure.data} for figure in (errors, objectives)]
    assert colours[0] == {**colours[1], "PCA-2": colours[0]["PCA-2"]}
    assert len(set(colours[0].values())) == 5


def test_what_was_not_logged_has_no_figure():
    comparison = compare_runs([tracked("VAE", measured(0.1, 0.5))])
    assert training_curves(comparison, comparison.rows, lambda run, metric: []) == []
