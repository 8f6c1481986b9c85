"""The run and the experiment that MLflow's own variables give, as `mlflow run` sets them for what it starts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lightning_utilities.core.rank_zero import rank_zero_warn

from ae_lightning.errors import TrackingError
from ae_lightning.tracking.addresses import shown_uri
from ae_lightning.tracking.answers import is_missing
from ae_lightning.tracking.asking import asking
from ae_lightning.tracking.runs import CONFIG_HASH_TAG
from ae_lightning.tracking.store import answers_explained, connect

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

RUN, EXPERIMENT_NAME, EXPERIMENT_ID = "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID"


def given_run() -> str | None:
    """Return the id of the run given; None where none is."""
    return os.environ.get(RUN) or None


def require_given(client: MlflowClient, tracking_uri: str, run_id: str, *, untrained: bool = False) -> None:
    """Make sure that the run given can be logged to.

    Args:
        client: Of the store.
        tracking_uri: The store.
        run_id: The run.
        untrained: Whether it must be one that no training has logged to.

    Raises:
        TrackingError: If it cannot, or the store does not answer.
    """
    from mlflow.exceptions import MlflowException

    with answers_explained(tracking_uri):
        try:
            run = client.get_run(run_id)
        except MlflowException as error:
            if is_missing(error):
                raise TrackingError(f"{RUN}: MLflow at {shown_uri(tracking_uri)!r} has no run {run_id!r}") from error
            raise
    if run.info.lifecycle_stage != "active":
        raise TrackingError(f"{RUN}: run {run_id} is deleted in MLflow at {shown_uri(tracking_uri)!r}; restore it")
    if untrained and CONFIG_HASH_TAG in run.data.tags:
        raise TrackingError(
            f"{RUN}: run {run_id} has been trained already; `fit --resume {run_id}` goes on with it, and without {RUN} "
            "a new one is made"
        )


def tell_of_another_run(run_id: str) -> None:
    """Warn that a run is gone on with that is not the one given."""
    if given_run() not in (None, run_id):
        rank_zero_warn(f"{RUN} names run {given_run()}, which gets nothing: run {run_id} is gone on with")


def given_experiment(tracking_uri: str) -> str | None:
    """Return the name of the experiment given, which need not be there yet; None where none is.

    The store is asked only for the name behind an id.

    Raises:
        TrackingError: If the store does not answer or does not have its id, or if the name is another one's.
    """
    from mlflow.exceptions import MlflowException

    name, experiment_id = os.environ.get(EXPERIMENT_NAME) or None, os.environ.get(EXPERIMENT_ID) or None
    if experiment_id is None:
        return name
    with answers_explained(tracking_uri):
        try:
            found = str(asking(connect(tracking_uri), tracking_uri).get_experiment(experiment_id).name)
        except MlflowException as error:
            if is_missing(error):
                raise TrackingError(
                    f"{EXPERIMENT_ID}: MLflow at {shown_uri(tracking_uri)!r} has no experiment {experiment_id!r}"
                ) from error
            raise
    if name not in (None, found):
        raise TrackingError(f"{EXPERIMENT_ID}: {experiment_id} is {found!r}, but {EXPERIMENT_NAME} says {name!r}")
    return found
