"""A measure of one's own: how much of the images' fine detail reconstructions keep.

    python -m ae_lightning fit --model VAE --evaluation.measures '[mse, blur.DetailKept]'

with this file's folder on PYTHONPATH. The value is logged as `test/detail_kept`, PCA's beside it as
`test/pca_detail_kept`, and `compare` puts it into its table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ae_lightning.judging.case import Case
from ae_lightning.judging.measure import Direction, Measure


class DetailKept(Measure):
    """The variance of the Laplacian of reconstructions as a share of the images' (Pech-Pacheco et al. 2000)."""

    name = "detail_kept"
    goal = "reconstruct"
    metrics: ClassVar[Mapping[str, Direction]] = {"detail_kept": "higher"}
    cost = "cheap"
    needs = frozenset({"reconstructions", "images", "three pixels a side"})

    def compute(self, case: Case) -> dict[str, float]:
        """Return the share: 0 of flat reconstructions, 1 where they are as sharp as the images."""
        images, reconstructions = case.pixels
        return {"detail_kept": float(laplacian(reconstructions).var() / max(laplacian(images).var(), 1e-12))}


def laplacian(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return each pixel's four neighbours less four times itself, from (N, C, H, W) to (N, C, H − 2, W − 2)."""
    middle = images[..., 1:-1, 1:-1]
    rows = images[..., :-2, 1:-1] + images[..., 2:, 1:-1]
    columns = images[..., 1:-1, :-2] + images[..., 1:-1, 2:]
    return rows + columns - 4 * middle
