"""The baseline that every autoencoder stands beside: principal components of the values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ae_lightning.judging.cache import Arrays, Cache, fingerprint
from ae_lightning.judging.centre import centre_of
from ae_lightning.judging.chunks import chunks, sample_rows
from ae_lightning.judging.encoded import EncodedSplit
from ae_lightning.judging.numpy_model import Labels, NumpyModel, Rows

MAX_FIT_IMAGES = 100_000
"""Training images that the components are fitted to; of larger sets a fixed random sample."""

_EXACT_SIDE = 1_000

Bounds = tuple[float, float]
"""Smallest and largest value that is decoded."""


@dataclass(frozen=True)
class FitSamples:
    """Training samples that PCA is fitted to, of which measures may see the codes of a part alone.

    Attributes:
        read: Gives them as scaled, float32, shape (N, …); asked again rather than that they are held.
        cache: Keeps what was fitted to them.
    """

    read: Callable[[], Rows]
    cache: Cache = field(default_factory=Cache)

    @cached_property
    def key(self) -> str:
        """What they are called, by every value."""
        return fingerprint(self.read())

    def fitted(self, fit: Callable[[Rows], Arrays], *parts: str | int) -> Arrays:
        """Return what is fitted to them, which is done once.

        Args:
            fit: Fits.
            parts: All that it depends on beside the samples.
        """
        return self.cache.get(fingerprint("fitted", *parts, self.key), lambda: fit(self.read()))


def fitted_pca(
    samples: FitSamples, shape: tuple[int, ...], latent_dim: int, seed: int, bounds: Bounds | None = None
) -> NumpyModel:
    """Give PCA of flattened training samples (Pearson 1901).

    The components are exact where samples or values number at most 1,000, and otherwise those of a
    randomised decomposition with power iterations (Halko, Martinsson and Tropp 2011).

    PCA has no prior and its codes are no distributions: the model draws the code itself for a sample of a posterior,
    and N(0, diag(v)) for the prior, v being the variances of the codes of the samples that it is fitted to.

    Args:
        samples: What the components are fitted to.
        shape: Of a sample.
        latent_dim: Components to keep, at least 1; limited to the number of training samples or of values.
        seed: Fixes the sample of a large training set and the randomised decomposition.
        bounds: What decoded samples are clipped to: the range of the samples beside a model whose output activation
            keeps to it, which costs PCA's components nothing; None clips nothing, as beside an affine map.

    Raises:
        ValueError: If ``latent_dim`` is below 1.
    """
    if latent_dim < 1:
        raise ValueError(f"latent_dim is {latent_dim}; PCA keeps at least 1 component")
    fitted = samples.fitted(partial(fit_pca, latent_dim=latent_dim, seed=seed), "pca", latent_dim, seed)
    return pca_model(fitted, shape, bounds)


def encoded_by(model: NumpyModel, train: EncodedSplit, evaluated: EncodedSplit) -> tuple[EncodedSplit, EncodedSplit]:
    """Return the two splits with a model's codes, and its reconstructions for ``evaluated`` alone."""
    codes = model.encode(evaluated.x)
    return (
        replace(train, codes=model.encode(train.x), reconstructions=None, latents=None),
        replace(evaluated, codes=codes, reconstructions=model.decode(codes), latents=None),
    )


def pca_model(fitted: dict[str, NDArray[Any]], shape: tuple[int, ...], bounds: Bounds | None = None) -> NumpyModel:
    """Give what measures ask of PCA.

    Args:
        fitted: From ``fit_pca``.
        shape: Of a sample.
        bounds: What decoded samples are clipped to; None for nothing.
    """
    mean, components, deviations = (fitted[name] for name in ("mean", "components", "deviations"))
    offset = mean @ components.T

    def encode(images: Rows, given: Labels | None = None) -> Rows:
        return np.asarray(flat(images) @ components.T - offset, dtype=np.float32)

    def decode(codes: Rows, given: Labels | None = None) -> Rows:
        decoded = np.asarray(codes @ components + mean, dtype=np.float32).reshape(-1, *shape)
        return decoded if bounds is None else decoded.clip(*bounds)

    def draw_prior(num: int, seed: int, given: Labels | None = None) -> Rows:
        draws = np.random.default_rng(seed).normal(size=(num, len(deviations)))
        return np.asarray(draws * deviations, dtype=np.float32)

    return NumpyModel(
        encode=encode,
        decode=decode,
        restore=lambda images, given=None, like=None: decode(encode(images)),
        draw_posterior=lambda images, seed, given=None: encode(images),
        draw_prior=draw_prior,
        features=lambda codes: codes,
    )


def fit_pca(samples: Rows, latent_dim: int, seed: int) -> Arrays:
    """Fit PCA to samples, at most ``MAX_FIT_IMAGES`` of them.

    Args:
        samples: Shape (N, …), of D values each.
        latent_dim: K, components to keep; no more than N or D.
        seed: Fixes the sample of a large set and the randomised decomposition.

    Returns:
        ``mean`` (D,), ``components`` (K, D), and ``deviations`` (K,), those of the samples' codes.
    """
    rows = flat(sample_rows(samples, MAX_FIT_IMAGES, seed))
    num_components = min(latent_dim, *rows.shape)
    if min(rows.shape) > _EXACT_SIDE:
        return _randomised(rows, num_components, seed)
    return _of_covariance(rows, num_components) if len(rows) >= 10 * rows.shape[1] else _of_rows(rows, num_components)


def _randomised(rows: Rows, num_components: int, seed: int) -> Arrays:
    from sklearn.decomposition import PCA

    pca = PCA(num_components, svd_solver="randomized", random_state=seed)
    # Images that are all the same have no variance for scikit-learn to divide its shares by.
    with np.errstate(invalid="ignore"):
        codes = pca.fit(rows).transform(rows)
    return {"mean": pca.mean_, "components": pca.components_, "deviations": codes.std(axis=0, dtype=np.float64)}


def _of_covariance(rows: Rows, num_components: int) -> Arrays:
    """Take eigenvectors of the covariance, as scikit-learn does for so tall a matrix: exact, and the fastest."""
    mean = centre_of(rows)
    covariance = np.zeros((rows.shape[1], rows.shape[1]), rows.dtype)
    for some in chunks(len(rows), rows.shape[1]):
        centred = rows[some] - mean
        covariance += centred.T @ centred
    covariance /= len(rows) - 1
    return _fitted(rows, mean, np.linalg.eigh(covariance)[1].T[: -num_components - 1 : -1])


def _of_rows(rows: Rows, num_components: int) -> Arrays:
    mean = centre_of(rows)
    return _fitted(rows, mean, np.linalg.svd(rows - mean, full_matrices=False)[2][:num_components])


def _fitted(rows: Rows, mean: Rows, components: Rows) -> Arrays:
    """Turn components so that the largest value of each is positive, as scikit-learn does."""
    largest = np.take_along_axis(components, np.abs(components).argmax(axis=1)[:, None], axis=1)
    turned = np.ascontiguousarray(components * np.where(largest < 0, np.float32(-1), np.float32(1)))
    codes = rows @ turned.T - mean @ turned.T
    return {"mean": mean, "components": turned, "deviations": codes.std(axis=0, dtype=np.float64)}


def flat(images: Rows) -> Rows:
    """Return samples as vectors, shape (N, D)."""
    return images.reshape(len(images), -1)
