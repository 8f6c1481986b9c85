"""The baseline that every autoencoder stands beside: principal components of the values."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from ae_lightning.judging.encoded import EncodedSplit
from ae_lightning.judging.numpy_model import Labels, NumpyModel, Rows

if TYPE_CHECKING:
    from sklearn.decomposition import PCA

MAX_FIT_IMAGES = 100_000
"""Training images that the components are fitted to; of larger sets a fixed random sample."""

_EXACT_SIDE = 1_000

Bounds = tuple[float, float]
"""Smallest and largest value that is decoded."""


def pca_counterpart(
    train: EncodedSplit, evaluated: EncodedSplit, latent_dim: int, seed: int, bounds: Bounds | None = None
) -> tuple[EncodedSplit, EncodedSplit, NumpyModel]:
    """Encode both splits by PCA of the flattened training samples (Pearson 1901).

    The components are exact where samples or values number at most 1,000, and otherwise those of a
    randomised decomposition with power iterations (Halko, Martinsson and Tropp 2011).

    PCA has no prior and its codes are no distributions: the model draws the code itself for a sample of a posterior,
    and N(0, diag(v)) for the prior, v being the variances of the training codes.

    Args:
        train: Its samples give the components.
        evaluated: Encoded and reconstructed by them.
        latent_dim: Components to keep, at least 1; limited to the number of training samples or of values.
        seed: Fixes the sample of a large training set and the randomised decomposition.
        bounds: What decoded samples are clipped to: the range of the samples beside a model whose output activation
            keeps to it, which costs PCA's components nothing; None clips nothing, as beside an affine map.

    Returns:
        The two splits with the same samples and labels, codes of PCA, and PCA's reconstructions for
        ``evaluated`` alone (those of ``train`` serve no measure), and the model that made them.

    Raises:
        ValueError: If ``latent_dim`` is below 1.
    """
    if latent_dim < 1:
        raise ValueError(f"latent_dim is {latent_dim}; PCA keeps at least 1 component")
    pca = fit_pca(flat(train.sample(MAX_FIT_IMAGES, seed).x), latent_dim, seed)
    shape = train.x.shape[1:]
    train_codes = _encode(pca, train.x)
    model = pca_model(pca, shape, train_codes.std(axis=0, dtype=np.float64), bounds)
    codes = model.encode(evaluated.x)
    return (
        replace(train, codes=train_codes, reconstructions=None, latents=None),
        replace(evaluated, codes=codes, reconstructions=model.decode(codes), latents=None),
        model,
    )


def pca_model(
    pca: PCA, shape: tuple[int, ...], deviations: NDArray[np.float64], bounds: Bounds | None = None
) -> NumpyModel:
    """Give what measures ask of PCA.

    Args:
        pca: Fitted.
        shape: Of a sample.
        deviations: Standard deviation of each component among the training samples: its prior's.
        bounds: What decoded samples are clipped to; None for nothing.
    """

    def encode(images: Rows, given: Labels | None = None) -> Rows:
        return _encode(pca, images)

    def decode(codes: Rows, given: Labels | None = None) -> Rows:
        decoded = np.asarray(pca.inverse_transform(codes), dtype=np.float32).reshape(-1, *shape)
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


def fit_pca(pixels: NDArray[np.float32], latent_dim: int, seed: int) -> PCA:
    """Fit PCA to vectors, shape (N, D); it keeps at most as many components as N or D."""
    from sklearn.decomposition import PCA

    num_components = min(latent_dim, *pixels.shape)
    pca = PCA(num_components, svd_solver=_solver(*pixels.shape), random_state=seed)
    # Images that are all the same have no variance for scikit-learn to divide its shares by.
    with np.errstate(invalid="ignore"):
        return pca.fit(pixels)


def _solver(num_images: int, num_pixels: int) -> Literal["auto", "full", "randomized"]:
    if min(num_images, num_pixels) > _EXACT_SIDE:
        return "randomized"
    # For so tall a matrix scikit-learn's own choice is the covariance's eigenvectors: exact, and the fastest.
    return "auto" if num_images >= 10 * num_pixels else "full"


def _encode(pca: PCA, images: Rows) -> Rows:
    return np.asarray(pca.transform(flat(images)), dtype=np.float32)


def flat(images: Rows) -> Rows:
    """Return samples as vectors, shape (N, D)."""
    return images.reshape(len(images), -1)
