"""Drawn images in a grid."""

from __future__ import annotations

import numpy as np
import pytest

from ae_lightning.judging.drawing.style import to_png
from ae_lightning.judging.pictures.samples import MAX_SAMPLES, samples


@pytest.mark.parametrize(("num", "rows", "columns"), [(1, 1, 1), (16, 4, 4), (12, 3, 4), (500, 12, 12)])
def test_the_grid_is_nearly_square(num: int, rows: int, columns: int) -> None:
    images = np.random.default_rng(0).random((num, 3, 4, 4), dtype=np.float32)
    figure = samples({"from the prior": images, "from a mixture": images[:1]}, "drawn")
    shown = figure.axes[0].images[0].get_array()
    assert shown.shape == (rows * 5 - 1, columns * 5 - 1, 3)
    np.testing.assert_array_equal(shown[:4, :4], images[0].transpose(1, 2, 0))
    assert figure.get_suptitle() == "drawn"
    assert [axes.get_title() for axes in figure.axes] == ["from the prior", "from a mixture"]
    assert rows * columns <= max(num, MAX_SAMPLES)
    to_png(figure)


def test_no_images_are_refused() -> None:
    with pytest.raises(ValueError, match="tiles need"):
        samples({"from the prior": np.zeros((0, 1, 4, 4), np.float32)})
