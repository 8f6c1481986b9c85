"""Autoencoders as MLflow models."""

from __future__ import annotations

import atexit
import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ae_lightning.errors import TrackingError
from ae_lightning.tracking.addresses import absolute_uri, database_of
from ae_lightning.tracking.store import answers_explained, connect, module_functions_at, sending_files

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient
    from mlflow.types import Schema

Example = np.ndarray | dict[str, np.ndarray]
"""A few rows: an array, or several by name."""

KEY_TAG = "ae_lightning.key"
"""Tag of a logged model by which a delivery that was cut short finds the one that it began."""


def model_key(run_id: str, checkpoint: Path) -> str:
    """Return a checkpoint's key among logged models: a run that is gone on with logs its best one no second time."""
    with checkpoint.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.sha256(run_id.encode())).hexdigest()


def save_model(folder: Path, run_id: str, checkpoint: Path, inputs: Example, outputs: Example) -> None:
    """Write a checkpoint as an MLflow model with signature and input example; no store is asked.

    `mlflow.pyfunc.load_model` loads it through `ae_lightning.serving`: nothing is pickled.

    Args:
        folder: Where to; it must not exist yet.
        run_id: The run that trained it.
        checkpoint: A checkpoint of an autoencoder.
        inputs: What it takes, of a few samples; the signature follows.
        outputs: What it gives of them.
    """
    from mlflow import pyfunc
    from mlflow.models import Model, ModelSignature

    signature = ModelSignature(inputs=_schema(inputs), outputs=_schema(outputs))
    with _knowing_the_packages():
        pyfunc.save_model(
            path=str(folder),
            mlflow_model=Model(run_id=run_id),
            loader_module="ae_lightning.serving",
            data_path=str(checkpoint),
            signature=signature,
            input_example=inputs,
            pip_requirements=["ae_lightning"],
        )


@contextmanager
def _knowing_the_packages() -> Iterator[None]:
    """Tell MLflow which packages the required modules are of.

    To see whether they are installed, it would read the lists of files of all packages there are: half of the time that
    logging a model takes, or more.
    """
    from mlflow.utils import requirements_utils as module

    name = "_MODULES_TO_PACKAGES"
    if getattr(module, name, {}) is not None:
        # It has read them already, or does it another way.
        yield
        return
    setattr(module, name, {"mlflow": ["mlflow"], "ae_lightning": ["ae_lightning"]})
    try:
        yield
    finally:
        setattr(module, name, None)


def _schema(arrays: Example) -> Schema:
    """Describe arrays of any number of rows."""
    from mlflow.types import Schema, TensorSpec

    named = arrays if isinstance(arrays, dict) else {None: arrays}
    return Schema([TensorSpec(array.dtype, (-1, *array.shape[1:]), name) for name, array in named.items()])


def deliver_model(client: MlflowClient, run_id: str, folder: Path, key: str) -> str:
    """Make a folder that `save_model` wrote a logged model of a run: one, however often it is delivered.

    Args:
        client: Of the store.
        run_id: The run that trained it.
        folder: The model.
        key: The model's own, as `model_key` says.

    Returns:
        The model's id.
    """
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus
    from mlflow.models import Model

    run = client.get_run(run_id)
    experiment_id = run.info.experiment_id
    found = client.search_logged_models([experiment_id], filter_string=f"tags.`{KEY_TAG}` = '{key}'")
    model = (
        found[0]
        if found
        else client.create_logged_model(
            experiment_id, name="model", source_run_id=run_id, params=run.data.params, tags={KEY_TAG: key}
        )
    )
    model_id = str(model.model_id)
    if model.status == LoggedModelStatus.READY:
        return model_id
    # The store would note the same output once more.
    if model_id not in {output.model_id for output in (run.outputs.model_outputs if run.outputs else [])}:
        client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])
    description = Model.load(str(folder))
    description.model_id = description.model_uuid = model_id
    description.artifact_path = model.artifact_location
    description.save(str(folder / "MLmodel"))
    with sending_files():
        client.log_model_artifacts(model_id, str(folder))
    client.finalize_logged_model(model_id, LoggedModelStatus.READY)
    return model_id


def register_model(
    tracking_uri: str,
    experiment_id: str,
    run_id: str,
    checkpoint: Path,
    inputs: Example,
    outputs: Example,
    registered_name: str,
) -> str:
    """Log a checkpoint as an MLflow model, and make it a new version of a registered model.

    Args:
        tracking_uri: The store.
        experiment_id: The run's experiment.
        run_id: The run that trained it.
        checkpoint: A checkpoint of an autoencoder.
        inputs: What it takes, of a few samples.
        outputs: What it gives of them.
        registered_name: The registered model, made where there is none.

    Returns:
        The version in the registry.
    """
    import mlflow

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "model")
        save_model(folder, run_id, checkpoint, inputs, outputs)
        model_id = deliver_model(connect(tracking_uri), run_id, folder, model_key(run_id, checkpoint))
    with module_functions_at(tracking_uri, experiment_id):
        return str(mlflow.register_model(f"models:/{model_id}", registered_name).version)


def set_alias(tracking_uri: str, registered_name: str, alias: str, version: str) -> None:
    """Let an alias of a registered model name one of its versions."""
    connect(tracking_uri).set_registered_model_alias(registered_name, alias, version)


def checkpoint_of_model(tracking_uri: str, model_uri: str) -> Path:
    """Return the checkpoint within a logged or registered model, brought here from where the store has it.

    What does not lie on this machine is there until the program ends.

    Args:
        tracking_uri: The store.
        model_uri: Such as `models:/digits/3`, `models:/digits@best` or `models:/m-…`.

    Raises:
        TrackingError: If the store has no such model, or it is none of this package's.
    """
    from mlflow.artifacts import download_artifacts
    from mlflow.models import Model

    connect(tracking_uri)
    uri, brought = absolute_uri(tracking_uri), None
    if database_of(tracking_uri) is None:
        # MLflow would make a folder of its own, and nobody would remove it.
        brought = tempfile.mkdtemp()
        atexit.register(shutil.rmtree, brought, ignore_errors=True)
    # Of a model that is in no registry, MLflow asks the store that its module-level functions use, whatever is named.
    with answers_explained(tracking_uri), module_functions_at(tracking_uri):
        folder = Path(download_artifacts(model_uri, dst_path=brought, tracking_uri=uri, registry_uri=uri))
        flavor = Model.load(str(folder)).flavors.get("python_function", {})
    if flavor.get("loader_module") != "ae_lightning.serving":
        raise TrackingError(f"{model_uri} is no autoencoder of this package")
    return folder / str(flavor["data"])
