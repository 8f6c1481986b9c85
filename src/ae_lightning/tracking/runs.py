"""Runs that are in a store already."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ae_lightning.tracking.addresses import database_of
from ae_lightning.tracking.answers import is_missing
from ae_lightning.tracking.asking import asking
from ae_lightning.tracking.store import answers_explained, connect

if TYPE_CHECKING:
    from mlflow.entities import Experiment, RunData
    from mlflow.entities import Run as MlflowRun
    from mlflow.tracking import MlflowClient

CONFIG_HASH_TAG = "ae_lightning.config_hash"
CHECKPOINT_FOLDER_TAG = "ae_lightning.checkpoints"
RESUMED_PREFIX = "resumed."
EXPERIMENTS_PER_PAGE = 1000
"""What a store answers with at once; there may be more."""


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
    found = mlflow_run(asking(connect(tracking_uri), tracking_uri), tracking_uri, run_id)
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


def known_params(data: RunData) -> dict[str, str]:
    """Return the parameters of a run as they are by now."""
    return {**data.params, **changed_on_resuming(data.tags)}


def every_experiment(client: MlflowClient) -> Iterator[Experiment]:
    """Yield the experiments of a store, page by page."""
    token: str | None = None
    while token != "":
        page = client.search_experiments(max_results=EXPERIMENTS_PER_PAGE, page_token=token)
        yield from page
        token = page.token or ""


def unfinished_runs(tracking_uri: str, config_hash: str) -> list[Run]:
    """Return the runs with a configuration that are not FINISHED, the newest first.

    Raises:
        TrackingError: If the store does not answer.
    """
    client = asking(connect(tracking_uri), tracking_uri)
    with answers_explained(tracking_uri):
        experiments = [experiment.experiment_id for experiment in every_experiment(client)]
        found = client.search_runs(
            experiments,
            filter_string=f"tags.`{CONFIG_HASH_TAG}` = '{config_hash}' and attributes.status != 'FINISHED'",
            order_by=["attributes.start_time DESC"],
        )
    return [_as_run(run) for run in found]


def told_folder(folder: Path, tracking_uri: str) -> str:
    """Return how a run tells where its checkpoints are: seen from an SQLite file, with which they may be moved.

    Args:
        folder: Theirs.
        tracking_uri: The store; where it is no file, the full path is told.
    """
    # Links are not followed: a copy has its own.
    path = os.path.abspath(folder)  # noqa: PTH100
    database = database_of(tracking_uri)
    return path if database is None else os.path.relpath(path, database.resolve().parent)


def checkpoint_folder(tags: Mapping[str, str], tracking_uri: str) -> Path | None:
    """Return where a run's checkpoints are.

    That is where the run says, seen from its store. Those of a store that is no file may have been moved or copied
    without it: what the working directory has of them comes first.

    Args:
        tags: Of the run.
        tracking_uri: The store.

    Returns:
        Their folder, there or not; None where the run left none.
    """
    told = tags.get(CHECKPOINT_FOLDER_TAG)
    if not told:
        return None
    database = database_of(tracking_uri)
    named = Path(os.path.normpath(Path(told) if database is None else database.resolve().parent / told))
    parts = named.parts
    below = (Path.cwd().joinpath(*parts[-length:]) for length in range(2, len(parts)))
    here = next((folder for folder in below if folder.is_dir()), named)
    return here if database is None or not named.is_dir() else named


def _as_run(run: MlflowRun) -> Run:
    return Run(run.info.run_id, run.info.status, dict(run.data.tags))
