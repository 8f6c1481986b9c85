"""A Gaussian mixture of codes: clusters, densities and draws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it ships no types

from ae_lightning.judging.chunks import chunks, sample_rows
from ae_lightning.judging.convergence import unconverged_is_fine
from ae_lightning.judging.gaussian import COVARIANCE_FLOOR, UnitVariance

if TYPE_CHECKING:
    from sklearn.mixture import GaussianMixture

MAX_MIXTURE_CODES = 50_000
"""Training codes that a mixture is fitted to; of larger sets a fixed random sample."""

# In nats per image: MNIST at 32 dimensions gets there in 10 to 20 rounds, and its accuracy stays where it is.
_TOLERANCE = 1e-2
_ROUNDS = 30


@dataclass(frozen=True)
class CodeMixture:
    """Full-covariance Gaussians fitted to codes by expectation maximisation (Dempster, Laird and Rubin 1977)."""

    _fitted: GaussianMixture
    _scaling: UnitVariance

    @property
    def num_components(self) -> int:
        """Number of Gaussians."""
        return len(np.asarray(self._fitted.means_))

    def parameters(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return weights (k,), means (k, d) and covariances (k, d, d), in the units of the codes."""
        fitted, scaling = self._fitted, self._scaling
        means, covariances = np.asarray(fitted.means_), np.asarray(fitted.covariances_)
        return np.asarray(fitted.weights_), means * scaling.scale + scaling.mean, covariances * scaling.scale**2

    def components(self, codes: NDArray[np.float32]) -> NDArray[np.int64]:
        """Give each code (N, d) its most probable component, shape (N,)."""
        return np.asarray(self._in_chunks(codes, self._fitted.predict), dtype=np.int64)

    def log_likelihood(self, codes: NDArray[np.float32]) -> NDArray[np.float64]:
        """Log-density of codes (N, d), shape (N,), in nats, up to a constant shared by all."""
        return self._in_chunks(codes, self._fitted.score_samples)

    def log_responsibilities(self, codes: NDArray[np.float32]) -> NDArray[np.float64]:
        """Log-density of codes (N, d) under each weighted component, shape (N, k), up to a constant for each code.

        In logarithms the order of the components survives where all responsibilities but one vanish.
        """
        return self._in_chunks(codes, self._log_joint)

    def _log_joint(self, scaled: NDArray[np.float64]) -> NDArray[np.float64]:
        # scikit-learn's `predict_proba` is the exponential of this, in which the lesser components underflow.
        fitted = self._fitted
        weights, means = np.asarray(fitted.weights_), np.asarray(fitted.means_)
        columns = []
        for weight, mean, root in zip(weights, means, np.asarray(fitted.precisions_cholesky_), strict=True):
            distance = np.square((scaled - mean) @ root).sum(axis=1)
            columns.append(np.log(weight) + np.log(np.diag(root)).sum() - distance / 2)
        return np.stack(columns, axis=1)

    def sample(self, num: int, seed: int) -> NDArray[np.float32]:
        """Draw codes, shape (num, d), the same ones for a seed."""
        drawn, _ = self._fitted.set_params(random_state=seed).sample(num)
        return self._scaling.undo(drawn)

    def _in_chunks(
        self, codes: NDArray[np.float32], function: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        pieces = chunks(len(codes), codes.shape[1] + self.num_components)
        return np.concatenate([function(self._scaling.apply(codes[rows])) for rows in pieces])


def fit_mixture(train_codes: NDArray[np.float32], num_components: int, seed: int) -> CodeMixture:
    """Fit a mixture of full-covariance Gaussians to codes, started from k-means.

    ``COVARIANCE_FLOOR`` of the codes' mean variance on every diagonal keeps collapsed dimensions from making a
    covariance singular. At most ``MAX_MIXTURE_CODES`` codes are seen; the rounds stop at a gain below 0.01 nats per
    image, or after 30.

    Args:
        train_codes: Shape (N, d).
        num_components: Gaussians, at most N of them.
        seed: Fixes the sample and the start.
    """
    from sklearn.mixture import GaussianMixture

    seen = sample_rows(train_codes, MAX_MIXTURE_CODES, seed)
    if len(seen) == 1:
        # scikit-learn fits nothing to a single code; twice the same one has the same Gaussian, as narrow as the floor.
        seen = np.repeat(seen, 2, axis=0)
    scaling = UnitVariance.of(seen)
    mixture = GaussianMixture(
        min(num_components, len(train_codes)),
        covariance_type="full",
        tol=_TOLERANCE,
        reg_covar=COVARIANCE_FLOOR,
        max_iter=_ROUNDS,
        random_state=seed,
    )
    # Its products are too small to gain from threads, and where other processes want the same cores, as in a
    # sweep, threads that wait for one another take it from 4 to 20 seconds on MNIST.
    with unconverged_is_fine(), threadpool_limits(1, user_api="blas"):
        return CodeMixture(mixture.fit(scaling.apply(seen)), scaling)
