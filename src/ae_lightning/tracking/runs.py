"""Runs that are in a store already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ae_lightning.tracking.answers import is_missing
from ae_lightning.tracking.store import answers_explained, connect

if TYPE_CHECKING:
    from mlflow.entities import Run as MlflowRun
    from mlflow.tracking import MlflowClient

CONFIG_HASH_TAG = "ae_lightning.config_hash"
CHECKPOINT_FOLDER_TAG = "ae_lightning.checkpoints"
RESUMED_PREFIX = "resumed."


@dataclass(frozen=True)
class Run:
    """A run as MLflow has it.

    Attributes:
        run_id: Its id.
        status: `RUNNING`, `FINISHED`, `FAILED` or `KILLED`.
        tags: Its tags.
    """

    run_id: str
    status: str
    tags: dict[str, str]


def find_run(tracking_uri: str, run_id: str) -> Run | None:
    """Return a run, or None where the store has none of that id.

    Raises:
        TrackingError: If the store does not answer.
    """
    found = mlflow_run(connect(tracking_uri), tracking_uri, run_id)
    return None if found is None else _as_run(found)


def mlflow_run(client: MlflowClient, tracking_uri: str, run_id: str) -> MlflowRun | None:
    """Return a run as MLflow describes it, or None where the store has none of that id.

    Raises:
        TrackingError: If the store does not answer.
    """
    from mlflow.exceptions import MlflowException

    with answers_explained(tracking_uri):
        try:
            return client.get_run(run_id)
        except MlflowException as error:
            if is_missing(error):
                return None
            raise


def changed_on_resuming(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters that a run went on with, where they were not those that it had begun with."""
    return {key.removeprefix(RESUMED_PREFIX): value for key, value in tags.items() if key.startswith(RESUMED_PREFIX)}


def unfinished_runs(tracking_uri: str, config_hash: str) -> list[Run]:
    """Return the runs with a configuration that are not FINISHED, the newest first.

    Raises:
        TrackingError: If the store does not answer.
    """
    client = connect(tracking_uri)
    with answers_explained(tracking_uri):
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        found = client.search_runs(
            experiments,
            filter_string=f"tags.`{CONFIG_HASH_TAG}` = '{config_hash}' and attributes.status != 'FINISHED'",
            order_by=["attributes.start_time DESC"],
        )
    return [_as_run(run) for run in found]


def _as_run(run: MlflowRun) -> Run:
    return Run(run.info.run_id, run.info.status, dict(run.data.tags))
