"""A sampler of one's own: points on the lines between a training code and its neighbours.

    python -m ae_lightning fit --model VanillaAE --sampler my_sampler.Neighbours --sampler.num_neighbours 8

called where this file lies, or wherever Python finds it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ae_lightning.checks import require_at_least
from ae_lightning.samplers.base import Sampler

MAX_KEPT = 10_000


class Neighbours(Sampler):
    """Draws between a random training code and one of its nearest neighbours (as SMOTE does, Chawla et al. 2002).

    Args:
        num_neighbours: How many of the nearest codes are its neighbours.

    Raises:
        ConfigError: If there is none.
    """

    def __init__(self, num_neighbours: int = 5) -> None:
        self.num_neighbours = require_at_least("sampler.num_neighbours", num_neighbours)

    def fit_codes(
        self, codes: NDArray[np.float32], seed: int, labels: NDArray[np.int64] | None
    ) -> dict[str, NDArray[np.generic]]:
        """Return codes (N, F), and for each the positions of its neighbours (N, k)."""
        kept = np.random.default_rng(seed).permutation(codes)[:MAX_KEPT]
        # The nearest one of all is the code itself.
        num = min(self.num_neighbours + 1, len(kept))
        _, neighbours = cKDTree(kept).query(kept, num)
        return {"codes": kept, "neighbours": neighbours.reshape(len(kept), num)}

    def draw_codes(
        self, state: Mapping[str, NDArray[np.generic]], num: int, seed: int, given: NDArray[np.int64] | None
    ) -> NDArray[np.float64]:
        """Draw codes, shape (num, F), whatever the class."""
        random = np.random.default_rng(seed)
        codes, neighbours = state["codes"], state["neighbours"]
        first = random.integers(len(codes), size=num)
        second = neighbours[first, random.integers(neighbours.shape[1], size=num)]
        return np.asarray(codes[first] + random.random((num, 1)) * (codes[second] - codes[first]))
