"""What MLflow calls to load a logged autoencoder: weights and plain values in, no pickled code."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ae_lightning.checkpoints.loading import load_autoencoder


class AutoencoderPyfunc:
    """An autoencoder behind MLflow's `predict`.

    Args:
        checkpoint: Path of a checkpoint.
    """

    def __init__(self, checkpoint: str) -> None:
        self._model = load_autoencoder(checkpoint).eval()

    @torch.no_grad()
    def predict(self, x: np.ndarray, params: dict[str, Any] | None = None) -> dict[str, np.ndarray]:
        """Return codes and reconstructions of samples.

        Args:
            x: Shape (N, …), float32, scaled as in training.
            params: MLflow's inference parameters; there are none.

        Returns:
            `codes` (N, latent_dim) and `reconstructions`, of the shape of the samples, float32.
        """
        scaled = torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32))
        latent = self._model.encode(scaled)
        reconstructions = self._model.decode_like(latent, scaled)
        return {"codes": self._model.features(latent).numpy(), "reconstructions": reconstructions.numpy()}


def _load_pyfunc(data_path: str) -> AutoencoderPyfunc:
    """Load the model that `MLflowTracker.log_autoencoder` kept."""
    return AutoencoderPyfunc(data_path)
