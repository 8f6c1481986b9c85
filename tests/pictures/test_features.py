"""Features of vectors, input against reconstruction."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import r2_score

from ae_lightning.judging.drawing.style import to_png
from ae_lightning.judging.pictures.features import (
    MAX_BARS,
    MAX_POINTS,
    MAX_SCATTERS,
    features,
    unexplained_shares,
)


def vectors(num: int = 60, num_features: int = 5, noise: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(num, num_features)).astype(np.float32) * np.arange(1, num_features + 1, dtype=np.float32)
    return x, (x + noise * rng.normal(size=x.shape)).astype(np.float32)


def test_the_share_lost_is_one_minus_r_squared() -> None:
    x, outputs = vectors()
    assert unexplained_shares(x, outputs) == pytest.approx(1 - r2_score(x, outputs, multioutput="raw_values"), rel=1e-4)


def test_a_feature_that_never_varies_is_lost_only_where_it_is_missed() -> None:
    x = np.ones((8, 2), np.float32)
    shares = unexplained_shares(x, x + np.array([0, 1], np.float32))
    assert shares.tolist() == [0, np.inf]
    to_png(features(x, x + np.array([0, 1], np.float32)))


def test_each_feature_has_its_own_points_and_a_bar() -> None:
    x, outputs = vectors()
    bars, *scatters = features(x, outputs, "vectors").axes
    assert [bar.get_height() for bar in bars.patches] == pytest.approx(unexplained_shares(x, outputs))
    for index, axes in enumerate(scatters[:5]):
        points = np.asarray(axes.collections[0].get_offsets())
        np.testing.assert_allclose(points, np.column_stack([x[:, index], outputs[:, index]]))
        assert axes.get_title().startswith(f"feature {index + 1}: ")


def test_of_many_features_those_that_lose_most_are_shown() -> None:
    x, outputs = vectors(MAX_POINTS + 40, MAX_BARS + 20)
    outputs[:, 7] = 0
    figure = features(x, outputs)
    bars, *scatters = figure.axes
    assert len(bars.patches) == MAX_BARS
    drawn = [axes for axes in scatters if axes.collections]
    assert len(drawn) == MAX_SCATTERS
    assert len(drawn[0].collections[0].get_offsets()) == MAX_POINTS
    worst = np.sort(np.argsort(-unexplained_shares(x, outputs))[:MAX_SCATTERS])
    assert [axes.get_title().split(":")[0] for axes in drawn] == [f"feature {index + 1}" for index in worst]
    assert 7 in worst
    to_png(figure)


def test_a_single_feature_and_a_single_sample_can_be_drawn() -> None:
    to_png(features(*vectors(num_features=1)))
    to_png(features(*vectors(num=1)))


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="reconstructions of shape"):
        features(vectors()[0], vectors(num_features=4)[1])


def test_features_go_by_their_names() -> None:
    figure = features(*vectors(num_features=3), names=["length", "width", "circumference of it all"])
    bars, *scatters = figure.axes
    assert [label.get_text() for label in bars.get_xticklabels()] == ["length", "width", "circumference of …"]
    assert [axes.get_title().splitlines()[0] for axes in scatters] == ["length", "width", "circumference of …"]
