"""What several models make of the same images lies in columns."""

from __future__ import annotations

import numpy as np
import pytest

from ae_lightning.judging.drawing.side_by_side import NUM_COLUMNS, samples_side_by_side, side_by_side

IMAGES = np.random.default_rng(0).random((40, 1, 5, 5), dtype=np.float32)


def tile(axes: object, row: int, column: int) -> np.ndarray:
    shown = axes.images[0].get_array()  # type: ignore[attr-defined]
    return shown[row * 6 : row * 6 + 5, column * 6 : column * 6 + 5, 0]


def test_the_worst_of_all_models_come_first_with_each_models_error() -> None:
    off = np.zeros((40, 1, 1, 1), np.float32)
    off[7], off[3] = 0.5, 0.3
    models = {"VAE-2": (IMAGES * (1 - off)).astype(np.float32), "PCA-2": IMAGES}
    (axes,) = side_by_side(IMAGES, models, np.arange(40), worst=True).axes
    assert [text.get_text() for text in axes.get_xticklabels()][:2] == ["7", "3"]
    error = np.square(models["VAE-2"] - IMAGES).mean()
    assert [text.get_text() for text in axes.get_yticklabels()] == [
        "input",
        f"VAE-2\nmse {error:.4f}",
        "PCA-2\nmse 0.0000",
    ]
    for row, images in enumerate((IMAGES, *models.values())):
        np.testing.assert_allclose(tile(axes, row, 0), images[7, 0], atol=1e-6)


def test_other_images_come_from_all_over_the_split() -> None:
    (axes,) = side_by_side(IMAGES, {"VAE-2": IMAGES}, np.arange(40)).axes
    shown = [int(text.get_text()) for text in axes.get_xticklabels()]
    assert len(set(shown)) == NUM_COLUMNS
    assert max(shown) >= 30


def test_samples_lie_under_images_of_the_data() -> None:
    (axes,) = samples_side_by_side(IMAGES[:3], {"VAE-2": IMAGES[20:], "PCA-2": IMAGES[5:]}).axes
    assert [text.get_text() for text in axes.get_yticklabels()] == ["of the data", "VAE-2", "PCA-2"]
    np.testing.assert_allclose(tile(axes, 0, 2), IMAGES[2, 0])
    np.testing.assert_allclose(tile(axes, 2, NUM_COLUMNS - 1), IMAGES[5 + NUM_COLUMNS - 1, 0])


def test_without_a_model_there_is_nothing_to_show() -> None:
    with pytest.raises(ValueError, match="no reconstructions"):
        side_by_side(IMAGES, {})
    with pytest.raises(ValueError, match="no samples"):
        samples_side_by_side(IMAGES, {})
