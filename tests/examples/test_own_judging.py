"""The measure and the picture of the examples, in a run from the command line."""

from __future__ import annotations

import numpy as np
import pytest
from blur import DetailKept, laplacian
from scipy.ndimage import convolve

from ae_lightning.judging.case import Case
from ae_lightning.judging.encoded import EncodedSplit


def test_the_laplacian_is_scipys():
    images = np.random.default_rng(0).random((2, 3, 7, 6), dtype=np.float32)
    kernel = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])[None, None]
    np.testing.assert_allclose(laplacian(images), convolve(images, kernel)[..., 1:-1, 1:-1], atol=1e-5)


@pytest.mark.parametrize(("contrast", "expected"), [(1.0, 1.0), (0.5, 0.25), (0.0, 0.0)])
def test_what_is_kept_of_detail_goes_with_the_square_of_contrast(contrast, expected):
    images = np.random.default_rng(0).random((4, 1, 8, 8), dtype=np.float32)
    split = EncodedSplit(images, np.zeros((4, 2), np.float32), np.float32(contrast) * images)
    assert DetailKept().compute(Case(split, split, 0))["detail_kept"] == pytest.approx(expected, abs=1e-6)


def test_a_run_logs_both(workspace):
    outcome = workspace.fit(
        *("--evaluation.measures", "[mse, blur.DetailKept]", "--evaluation.pictures", "[error_map.ErrorMap]"),
        *("--evaluation.pca", "true"),
    )
    assert outcome.code == 0, outcome.err
    run = workspace.run()
    assert run.data.metrics["test/detail_kept"] > 0
    assert "test/pca_detail_kept" in run.data.metrics
    assert "error_map.png" in workspace.artifacts(run.info.run_id, "plots")
