"""The gain of denoising, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ae_lightning.judging.altered_images import CorruptedImages
from ae_lightning.judging.measures.denoising import denoising_psnr_gain
from ae_lightning.judging.numpy_model import NumpyModel


def refuse(*arguments: object) -> np.ndarray:
    raise AssertionError("not needed for denoising")


@pytest.mark.parametrize(("left", "expected"), [(0.1, 20), (1, 0), (10 ** (1 / 20), -1)])
def test_what_is_left_of_the_error_gives_the_decibels(left: float, expected: float) -> None:
    clean = np.full((5, 1, 4, 4), 0.25, np.float32)
    corrupted = clean + np.float32(0.1)

    def restore(images: np.ndarray, given: np.ndarray | None = None, like: np.ndarray | None = None) -> np.ndarray:
        assert like is clean
        return clean + np.float32(left) * (images - clean)

    model = NumpyModel(refuse, refuse, restore, refuse, refuse, refuse)
    assert denoising_psnr_gain(CorruptedImages(clean, corrupted), model) == pytest.approx(expected, abs=1e-4)
