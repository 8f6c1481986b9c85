"""Codes in the plane: as they are, by principal components, or as histograms."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.decomposition import PCA

from ae_lightning.judging.drawing.plane import MAX_POINTS, to_plane
from ae_lightning.judging.drawing.style import to_png
from ae_lightning.judging.pictures.latent_scatter import MAX_LEGEND_CLASSES, latent_scatter


def codes(num: int, latent_dim: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.normal(size=(num, latent_dim)) * np.arange(1, latent_dim + 1)).astype(np.float32)


def points(figure: Figure) -> np.ndarray:
    return np.concatenate([np.asarray(one.get_offsets()) for one in figure.axes[0].collections])


def legend_texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_two_dimensions_are_shown_as_they_are() -> None:
    drawn = codes(50, 2)
    figure = latent_scatter(to_plane(drawn), title="codes")
    np.testing.assert_allclose(points(figure), drawn)
    (axes,) = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel(), figure.get_suptitle()) == ("z₁", "z₂", "codes")
    assert axes.get_aspect() == 1


def test_more_dimensions_are_shown_by_principal_components() -> None:
    drawn = codes(50, 6)
    reference = PCA(2).fit(drawn)
    figure = latent_scatter(to_plane(drawn))
    np.testing.assert_allclose(np.abs(points(figure)), np.abs(reference.transform(drawn)), atol=1e-4)
    first, second = reference.explained_variance_ratio_
    assert figure.axes[0].get_xlabel() == f"PC 1 ({first:.0%} of variance)"
    assert figure.axes[0].get_ylabel() == f"PC 2 ({second:.0%} of variance)"


def test_one_dimension_is_a_histogram_for_each_class() -> None:
    figure = latent_scatter(to_plane(codes(60, 1)), np.arange(60) % 3, ["a", "b", "c"])
    (axes,) = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("z₁", "number of samples")
    assert legend_texts(figure) == ["a", "b", "c"]
    to_png(figure)


def test_classes_have_a_colour_a_legend_and_their_own_points() -> None:
    drawn = codes(30, 2)
    labels = np.arange(30) % 3 - 1
    figure = latent_scatter(to_plane(drawn), labels, ["cat", "dog"])
    assert legend_texts(figure) == ["unlabelled", "cat", "dog"]
    colours = set()
    for label, collection in zip((-1, 0, 1), figure.axes[0].collections, strict=True):
        np.testing.assert_allclose(collection.get_offsets(), drawn[labels == label])
        colours.add(tuple(collection.get_facecolor()[0]))
    assert len(colours) == 3
    assert {text.get_text() for text in figure.axes[0].texts} <= {"cat", "dog"}
    to_png(figure)


def test_without_labels_there_is_one_colour_and_no_legend() -> None:
    figure = latent_scatter(to_plane(codes(30, 2)))
    assert len(figure.axes[0].collections) == 1
    assert not figure.legends


def test_names_do_not_cover_one_another() -> None:
    drawn = np.array([[0, 0], [0, 0.01], [5, 5], [-5, -5]], np.float32)
    figure = latent_scatter(to_plane(drawn), np.arange(4), ["first", "on top", "far", "away"])
    assert [text.get_text() for text in figure.axes[0].texts] == ["first", "far", "away"]


def test_points_are_bounded() -> None:
    labels = np.arange(MAX_POINTS + 500) % 10
    assert len(points(latent_scatter(to_plane(codes(len(labels), 2)), labels))) == MAX_POINTS


def test_a_hundred_classes_have_a_bounded_legend() -> None:
    figure = latent_scatter(to_plane(codes(400, 3)), np.arange(400) % 100)
    assert len(legend_texts(figure)) == MAX_LEGEND_CLASSES
    assert figure.legends[0].get_title().get_text() == "class (60 more not named)"
    to_png(figure)


@pytest.mark.parametrize("latent_dim", [1, 2, 5])
def test_constant_codes_can_be_drawn(latent_dim: int) -> None:
    to_png(latent_scatter(to_plane(np.zeros((10, latent_dim), np.float32)), np.arange(10) % 2))


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ValueError, match="a plane needs"):
        to_plane(np.zeros((0, 2), np.float32))
    with pytest.raises(ValueError, match="3 labels for 4 codes"):
        latent_scatter(to_plane(np.zeros((4, 2), np.float32)), np.zeros(3, np.int64))
