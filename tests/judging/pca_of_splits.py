"""PCA of one split, and two splits as it codes them."""

from __future__ import annotations

from ae_lightning.judging.encoded import EncodedSplit
from ae_lightning.judging.numpy_model import NumpyModel
from ae_lightning.judging.pca import FitSamples, encoded_by, fitted_pca


def pca_counterpart(
    train: EncodedSplit, evaluated: EncodedSplit, latent_dim: int, seed: int
) -> tuple[EncodedSplit, EncodedSplit, NumpyModel]:
    """Fit PCA to the samples of ``train``, and encode both splits by it."""
    model = fitted_pca(FitSamples(lambda: train.x), train.x.shape[1:], latent_dim, seed)
    return *encoded_by(model, train, evaluated), model
