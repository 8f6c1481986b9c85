"""What MLflow calls to load a logged autoencoder: weights and plain values in, no pickled code."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ae_lightning.checkpoints.loading import load_autoencoder
from ae_lightning.data.foreign import SeenData
from ae_lightning.models.autoencoder import Autoencoder
from ae_lightning.models.inputs import as_samples

NUM_EXAMPLES = 2

Inputs = NDArray[Any] | dict[str, NDArray[Any]]
"""Samples; of a model that needs labels, a mapping of `x` and `labels`."""

Outputs = dict[str, NDArray[Any]]


class AutoencoderPyfunc:
    """An autoencoder behind MLflow's `predict`.

    Args:
        checkpoint: Path of a checkpoint.
    """

    def __init__(self, checkpoint: str) -> None:
        self._model = load_autoencoder(checkpoint).eval()

    def predict(self, inputs: Inputs, params: dict[str, Any] | None = None) -> Outputs:
        """Return codes and reconstructions of samples.

        Args:
            inputs: Samples, shape (N, *spec.shape), floating point, as scaled in training. If it needs labels,
                a mapping: these under `x`, and under `labels` their classes, int64, shape (N,), −1 where missing.
            params: MLflow's inference parameters; there are none.

        Returns:
            `codes` (N, F) and `reconstructions` (N, *spec.shape), float32; and `latents` where what is decoded is not
            the codes.
        """
        return answer(self._model, inputs)


@torch.no_grad()
def answer(model: Autoencoder, inputs: Inputs) -> Outputs:
    """Return what a served model gives, see `AutoencoderPyfunc.predict`.

    Args:
        model: In eval mode, on the CPU.
        inputs: As there.

    Raises:
        ValueError: If the model needs labels and there are none.
        DataError: If the samples are of another shape, or whole numbers, which are not scaled.
    """
    given = None
    if isinstance(inputs, dict):
        given = torch.from_numpy(np.array(inputs["labels"], dtype=np.int64))
        inputs = inputs["x"]
    elif model.needs_labels:
        raise ValueError(f"{type(model).__name__} needs labels: give a mapping of x and labels")
    x = as_samples(inputs, model.spec, model.device, model.weights_dtype)
    latent = model.encode(x, given)
    outputs = {"codes": model.features(latent), "reconstructions": model.decode_like(latent, x, given)}
    if not (model.has_vector_codes and latent.ndim == 2):
        outputs["latents"] = latent
    return {name: values.numpy() for name, values in outputs.items()}


def example(checkpoint: str, data: SeenData) -> tuple[Inputs, Outputs]:
    """Return what a checkpoint's model takes and gives, of the first training samples.

    Args:
        checkpoint: Path of it.
        data: What it was trained on.
    """
    model = load_autoencoder(checkpoint).eval()
    split = data.split("train")
    x = data.scale(split.x[:NUM_EXAMPLES]).contiguous().numpy()
    labels = split.labels_or_missing()[:NUM_EXAMPLES].numpy()
    inputs: Inputs = {"x": x, "labels": labels} if model.needs_labels else x
    return inputs, answer(model, inputs)


def _load_pyfunc(data_path: str) -> AutoencoderPyfunc:
    """Load the model that `MLflowTracker.log_autoencoder` kept."""
    return AutoencoderPyfunc(data_path)
