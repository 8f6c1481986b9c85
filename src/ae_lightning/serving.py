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
    def predict(self, images: np.ndarray, params: dict[str, Any] | None = None) -> dict[str, np.ndarray]:
        """Return codes and reconstructions of images.

        Args:
            images: Shape (N, C, H, W), float32 in [0, 1], scaled as in training.
            params: MLflow's inference parameters; there are none.

        Returns:
            `codes` (N, latent_dim) and `reconstructions` (N, C, H, W), float32.
        """
        x_BCHW = torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32))
        z_BL = self._model.encode(x_BCHW)
        return {"codes": z_BL.numpy(), "reconstructions": self._model.decode_like(z_BL, x_BCHW).numpy()}


def _load_pyfunc(data_path: str) -> AutoencoderPyfunc:
    """Load the model that `MLflowTracker.log_autoencoder` kept."""
    return AutoencoderPyfunc(data_path)
