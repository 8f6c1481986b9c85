"""Autoencoders as MLflow models."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ae_lightning.tracking.store import connect, module_functions_at


def log_model(
    tracking_uri: str,
    experiment_id: str,
    run_id: str,
    checkpoint: Path,
    example_BCHW: np.ndarray,
    latent_dim: int,
    registered_name: str | None = None,
) -> str | None:
    """Log a checkpoint as an MLflow model with signature and input example.

    `mlflow.pyfunc.load_model` loads it through `ae_lightning.serving`: nothing is pickled.

    Args:
        tracking_uri: The store.
        experiment_id: The run's experiment.
        run_id: The run that trained it.
        checkpoint: A checkpoint of an autoencoder.
        example_BCHW: A few images in [0, 1], float32.
        latent_dim: Length of a code.
        registered_name: Also make it a new version of this registered model.

    Returns:
        The version in the registry, if it was registered.
    """
    from mlflow import pyfunc
    from mlflow.models import Model, ModelSignature
    from mlflow.types import Schema, TensorSpec

    shape = (-1, *example_BCHW.shape[1:])
    kind = np.dtype(np.float32)
    signature = ModelSignature(
        inputs=Schema([TensorSpec(kind, shape)]),
        outputs=Schema([TensorSpec(kind, (-1, latent_dim), "codes"), TensorSpec(kind, shape, "reconstructions")]),
    )
    with module_functions_at(tracking_uri, experiment_id):
        info = Model.log(
            artifact_path=None,
            name="model",
            flavor=pyfunc,
            run_id=run_id,
            loader_module="ae_lightning.serving",
            data_path=str(checkpoint),
            signature=signature,
            input_example=example_BCHW,
            pip_requirements=["ae_lightning"],
            registered_model_name=registered_name,
        )
    return None if registered_name is None else str(info.registered_model_version)


def set_alias(tracking_uri: str, registered_name: str, alias: str, version: str) -> None:
    """Let an alias of a registered model name one of its versions."""
    connect(tracking_uri).set_registered_model_alias(registered_name, alias, version)
