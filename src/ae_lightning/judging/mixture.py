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
from ae_lightning.judging.expectation_maximisation import Gaussians, maximised
from ae_lightning.judging.gaussian import COVARIANCE_FLOOR, Whitening

if TYPE_CHECKING:
    from sklearn.mixture import GaussianMixture

MAX_MIXTURE_CODES = 50_000
"""Training codes that a mixture is fitted to; of larger sets a fixed random sample."""


@dataclass(frozen=True)
class CodeMixture:
    """Full-covariance Gaussians fitted to codes by expectation maximisation (Dempster, Laird and Rubin 1977)."""

    _fitted: GaussianMixture
    _whitening: Whitening

    @property
    def num_components(self) -> int:
        """Number of Gaussians."""
        return len(np.asarray(self._fitted.means_))

    def parameters(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return weights (k,), means (k, d) and roots R of the covariances R Rᵀ (k, d, d), in units of the codes."""
        fitted, back = self._fitted, self._whitening.back
        means, roots = np.asarray(fitted.means_), np.linalg.cholesky(np.asarray(fitted.covariances_))
        return np.asarray(fitted.weights_), means @ back + self._whitening.mean, back.T @ roots

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

    def _log_joint(self, white: NDArray[np.float64]) -> NDArray[np.float64]:
        # scikit-learn's `predict_proba` is the exponential of this, in which the lesser components underflow.
        fitted = self._fitted
        weights, means = np.asarray(fitted.weights_), np.asarray(fitted.means_)
        columns = []
        for weight, mean, root in zip(weights, means, np.asarray(fitted.precisions_cholesky_), strict=True):
            distance = np.square((white - mean) @ root).sum(axis=1)
            columns.append(np.log(weight) + np.log(np.diag(root)).sum() - distance / 2)
        return np.stack(columns, axis=1)

    def sample(self, num: int, seed: int) -> NDArray[np.float32]:
        """Draw codes, shape (num, d), the same ones for a seed; where all of its own were the same, that one."""
        drawn, _ = self._fitted.set_params(random_state=seed).sample(num)
        # scikit-learn gives those of one Gaussian after those of another.
        return self._whitening.undo(np.random.default_rng(seed).permutation(drawn))

    def _in_chunks(
        self, codes: NDArray[np.float32], function: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        pieces = chunks(len(codes), codes.shape[1] + self.num_components)
        return np.concatenate([function(self._whitening.apply(codes[rows])) for rows in pieces])


def fit_mixture(train_codes: NDArray[np.float32], num_components: int, seed: int) -> CodeMixture:
    """Fit a mixture of full-covariance Gaussians to codes, started from k-means of the codes as they are.

    At most ``MAX_MIXTURE_CODES`` codes are seen.

    Args:
        train_codes: Shape (N, d).
        num_components: Gaussians, at most N of them.
        seed: Fixes the sample and the start.
    """
    from sklearn.cluster import KMeans

    seen = sample_rows(train_codes, MAX_MIXTURE_CODES, seed)
    if len(seen) == 1:
        # scikit-learn fits nothing to a single code; twice the same one has the same Gaussian, as narrow as the floor.
        seen = np.repeat(seen, 2, axis=0)
    with unconverged_is_fine(), threadpool_limits(1, user_api="blas"):
        start = KMeans(min(num_components, len(train_codes)), n_init=1, random_state=seed).fit_predict(seen)
    return mixture_from(seen, np.eye(min(num_components, len(train_codes)))[start], seed)


def mixture_from(codes: NDArray[np.float32], shares: NDArray[np.float64], seed: int) -> CodeMixture:
    """Fit a mixture of k Gaussians to codes, starting from what share each of them has in each code.

    ``COVARIANCE_FLOOR`` of the codes' total covariance in every covariance keeps collapsed dimensions from making one
    singular, and an affine map of the codes changes nothing. The rounds stop at a gain below 0.01 nats per image, or
    after 30.

    Args:
        codes: Shape (N, d), N ≥ 2.
        shares: Shape (N, k), rows that sum to 1.
        seed: Fixes nothing but what is drawn.
    """
    from sklearn.mixture import GaussianMixture

    whitening = Whitening.of(codes)
    white = whitening.apply(codes)
    # A Gaussian may begin with no code at all, where codes coincide.
    counts = shares.sum(axis=0) + 10 * np.finfo(np.float64).eps
    means = shares.T @ white / counts[:, None]
    covariances = np.stack(
        [
            (share * (white - mean).T) @ (white - mean) / count + COVARIANCE_FLOOR * np.eye(len(mean))
            for share, count, mean in zip(shares.T, counts, means, strict=True)
        ]
    )
    # Its products are too small to gain from threads, and where other processes want the same cores, as in a
    # sweep, threads that wait for one another take it from 4 to 20 seconds on MNIST.
    with threadpool_limits(1, user_api="blas"):
        fitted = maximised(white, Gaussians.of(counts / counts.sum(), means, covariances))
    mixture = GaussianMixture(len(counts), covariance_type="full", random_state=seed)
    mixture.weights_, mixture.means_, mixture.covariances_ = fitted.weights, fitted.means, fitted.covariances
    mixture.precisions_cholesky_ = fitted.roots
    return CodeMixture(mixture, whitening)
