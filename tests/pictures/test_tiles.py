"""Composed tiles hold the images' own pixels, in order."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from ae_lightning.judging.drawing.tiles import GAP_VALUE, compose, show_tiles


def images(num: int, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(0).random((num, channels, 4, 6), dtype=np.float32)


@pytest.mark.parametrize("channels", [1, 3])
def test_every_tile_is_its_image(channels: int) -> None:
    drawn = images(6, channels)
    tiles = compose(drawn, num_columns=3, gap=2)
    assert tiles.shape == (2 * 4 + 2, 3 * 6 + 2 * 2, 3)
    for index, image in enumerate(drawn):
        row, column = divmod(index, 3)
        tile = tiles[row * 6 : row * 6 + 4, column * 8 : column * 8 + 6]
        np.testing.assert_array_equal(tile, np.broadcast_to(image.transpose(1, 2, 0), (4, 6, 3)))
    np.testing.assert_array_equal(tiles[4:6], np.float32(GAP_VALUE))
    np.testing.assert_array_equal(tiles[:4, 6:8], np.float32(GAP_VALUE))


def test_places_without_an_image_are_white() -> None:
    tiles = compose(images(4), num_columns=3)
    np.testing.assert_array_equal(tiles[5:, 7:], 1)


def test_values_are_clipped_and_odd_channel_numbers_become_grey() -> None:
    two = np.stack([np.full((4, 6), -1), np.full((4, 6), 5)])[None].astype(np.float32)
    np.testing.assert_array_equal(compose(two, 1), 0.5)


def test_tiles_without_gap_touch() -> None:
    drawn = images(2)
    np.testing.assert_array_equal(compose(drawn, 2, gap=0)[..., 0], np.hstack([drawn[0, 0], drawn[1, 0]]))


@pytest.mark.parametrize("shape", [(0, 1, 4, 4), (3, 4, 4)])
def test_what_is_not_a_batch_of_images_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="tiles need"):
        compose(np.zeros(shape, np.float32), 2)


def test_pixels_are_drawn_sharp_and_without_ticks() -> None:
    axes = Figure().subplots()
    tiles = compose(images(2), 2)
    show_tiles(axes, tiles)
    (drawn,) = axes.images
    assert drawn.get_interpolation() == "nearest"
    np.testing.assert_array_equal(drawn.get_array(), tiles)
    assert not len(axes.get_xticks())
