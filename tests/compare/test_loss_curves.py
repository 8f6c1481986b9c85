"""Loss curves of several runs in one figure."""

from __future__ import annotations

import pytest

from ae_lightning.compare.curves import MAX_POINTS, loss_curves


@pytest.mark.parametrize("num_points", [1, MAX_POINTS, MAX_POINTS + 1, 2 * MAX_POINTS - 1, 2 * MAX_POINTS + 1, 12_345])
def test_long_curves_are_thinned_and_keep_their_end(num_points):
    points = [(step, 1.0 / (step + 1)) for step in range(num_points)]
    (line,) = loss_curves({"VAE-2": points}, "train/loss").data
    shown = list(zip(line.x, line.y, strict=True))
    assert min(num_points, MAX_POINTS // 2) <= len(shown) <= MAX_POINTS
    assert shown[-1] == points[-1]
    assert shown == sorted(shown)
    assert set(shown) <= set(points)
