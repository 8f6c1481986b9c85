"""A grid's pictures stand where their codes say."""

from __future__ import annotations

import numpy as np
import pytest

from ae_lightning.judging.chunks import chunk_size
from ae_lightning.judging.drawing.style import to_png
from ae_lightning.judging.pictures.latent_grid import grid_codes, grid_side, latent_grid


def decode(codes: np.ndarray, side: int) -> np.ndarray:
    """Give flat images whose red is z₁ and whose green is z₂, from 0 at −4 to 1 at 4."""
    colours = np.pad((codes + 4) / 8, ((0, 0), (0, 1)))
    return np.broadcast_to(colours[:, :, None, None], (len(codes), 3, side, side)).astype(np.float32)


def test_codes_fill_the_square() -> None:
    codes = grid_codes(5, -2, 2)
    assert codes.shape == (25, 2)
    assert codes.dtype == np.float32
    assert {tuple(code) for code in codes} == {(a, b) for a in range(-2, 3) for b in range(-2, 3)}


@pytest.mark.parametrize(
    ("shape", "side"), [((1, 28, 28), 30), ((3, 64, 64), 30), ((3, 224, 224), 10), ((3, 9000, 9000), 2)]
)
def test_images_of_a_grid_take_bounded_memory(shape: tuple[int, ...], side: int) -> None:
    assert grid_side(chunk_size(shape)) == side


@pytest.mark.parametrize("side", [8, 28])
def test_every_picture_lies_at_its_code(side: int) -> None:
    codes = grid_codes(6)
    (axes,) = latent_grid(decode(codes, side)).axes
    (drawn,) = axes.images
    pixels = drawn.get_array()
    left, right, bottom, top = drawn.get_extent()
    for z1, z2 in codes:
        column = int((z1 - left) / (right - left) * pixels.shape[1])
        row = int((top - z2) / (top - bottom) * pixels.shape[0])
        np.testing.assert_allclose(pixels[row, column, :2], [(z1 + 4) / 8, (z2 + 4) / 8], atol=1e-6)


def test_up_is_larger_on_the_rendered_axes() -> None:
    (axes,) = latent_grid(decode(grid_codes(4), 8)).axes
    assert axes.get_ylim()[0] < -4 < 4 < axes.get_ylim()[1]
    assert axes.get_xlim()[0] < -4 < 4 < axes.get_xlim()[1]


def test_axes_are_in_code_units() -> None:
    figure = latent_grid(decode(grid_codes(3, -1, 1), 8), extent=(-1, 1), title="grid")
    (axes,) = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel(), figure.get_suptitle()) == ("z₁", "z₂", "grid")
    assert (min(axes.get_xticks()), max(axes.get_yticks())) == (-1, 1)
    to_png(figure)


def test_one_picture_is_a_grid_too() -> None:
    to_png(latent_grid(np.zeros((1, 1, 8, 6), np.float32)))


@pytest.mark.parametrize("num", [0, 8])
def test_a_number_that_is_no_square_is_refused(num: int) -> None:
    with pytest.raises(ValueError, match="square grid"):
        latent_grid(np.zeros((num, 1, 8, 8), np.float32))
