"""Kernels as images, and the parts of images that excite them."""

from __future__ import annotations

import numpy as np
import pytest

from ae_lightning.judging.drawing.style import to_png
from ae_lightning.judging.drawing.tiles import around_grey
from ae_lightning.judging.pictures.activations import activations
from ae_lightning.judging.pictures.filters import MAX_FILTERS, filters


def shown(figure) -> np.ndarray:
    return np.asarray(figure.axes[0].images[0].get_array())


def test_zero_is_grey_and_the_largest_weight_black_or_white() -> None:
    values = np.array([[[[0, 2], [-4, 1]]], [[[0, 0], [0, 0]]]], np.float32)
    np.testing.assert_allclose(around_grey(values)[0, 0], [[0.5, 0.75], [0, 0.625]])
    np.testing.assert_allclose(around_grey(values)[1], 0.5)


@pytest.mark.parametrize("channels", [1, 3])
def test_filters_of_an_image_are_images(channels: int) -> None:
    weights = np.random.default_rng(0).normal(size=(9, channels, 4, 4)).astype(np.float32)
    pixels = shown(filters(weights))
    assert pixels.shape == (14, 14, 3)
    np.testing.assert_allclose(pixels[:4, 5:9], np.broadcast_to(around_grey(weights)[1].transpose(1, 2, 0), (4, 4, 3)))


def test_filters_of_many_channels_are_rows_of_kernels() -> None:
    weights = np.random.default_rng(0).normal(size=(4, 6, 3, 3)).astype(np.float32)
    pixels = shown(filters(weights))
    assert pixels.shape == (4 * 4 - 1, 6 * 4 - 1, 3)
    np.testing.assert_allclose(pixels[4:7, 8:11, 0], around_grey(weights)[1, 2], rtol=1e-6)


def test_filters_are_bounded() -> None:
    figure = filters(np.ones((5 * MAX_FILTERS, 1, 3, 3), np.float32))
    assert shown(figure).shape[0] == 8 * 4 - 1
    to_png(figure)
    to_png(filters(np.ones((512, 512, 3, 3), np.float32)))


def test_parts_are_cut_to_what_the_filter_saw() -> None:
    images = np.random.default_rng(0).random((1, 2, 1, 12, 12), dtype=np.float32)
    projections = np.zeros_like(images)
    projections[0, 0, 0, 2:5, 4:9] = 1
    projections[0, 1, 0, 9:12, 10:12] = -1
    figure = activations(images, projections, [6])
    pixels = shown(figure)[..., 0]
    assert pixels.shape == (3 + 1 + 3, 5 + 1 + 5)
    np.testing.assert_array_equal(pixels[:3, :5], images[0, 0, 0, 2:5, 4:9])
    np.testing.assert_array_equal(pixels[:3, 6:], images[0, 1, 0, 9:12, 7:12])
    np.testing.assert_array_equal(pixels[4:, :5], 1)
    np.testing.assert_array_equal(pixels[4:, 6:], np.tile([0.5, 0.5, 0.5, 0, 0], (3, 1)))
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["filter 7", "sees"]


def test_filters_that_nothing_excites_are_drawn() -> None:
    images = np.ones((3, 2, 3, 6, 5), np.float32)
    figure = activations(images, np.zeros_like(images), [0, 1, 2])
    assert len(figure.axes) == 4
    to_png(figure)
    with pytest.raises(ValueError, match="2 filters"):
        activations(images, images, [0, 1])
