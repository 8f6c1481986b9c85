"""A new run in MLflow, by a name that no other of its experiment bears."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ae_lightning.tracking.shared_view import keep_view
from ae_lightning.tracking.store import find_or_create_experiment

if TYPE_CHECKING:
    from mlflow.entities import Run as MlflowRun
    from mlflow.tracking import MlflowClient


def create_run(
    client: MlflowClient,
    tracking_uri: str,
    experiment: str,
    name: str | None,
    tags: Mapping[str, str],
    *,
    is_own_name: bool,
) -> MlflowRun:
    """Create a run, and its experiment if that is not there, and give that the view of its main measures.

    Args:
        client: Of the store.
        tracking_uri: The store.
        experiment: Name of the experiment.
        name: Of the run; MLflow makes one up where there is none.
        tags: Of the run.
        is_own_name: Whether a person chose the name, so that it stays as it is where another run bears it.

    Raises:
        TrackingError: If the experiment cannot be used.
    """
    from mlflow.tracking.context.registry import resolve_tags

    experiment_id = find_or_create_experiment(client, tracking_uri, experiment)
    keep_view(client, client.get_experiment(experiment_id))
    if name and not is_own_name:
        name = _free_name(client, experiment_id, name)
    return client.create_run(experiment_id, run_name=name, tags=resolve_tags(dict(tags)))


def _free_name(client: MlflowClient, experiment_id: str, name: str) -> str:
    """Return a name, numbered where runs bear it already; two that begin at once may get the same."""
    if "'" in name or "%" in name:
        # MLflow's search has no way to write them down.
        return name
    found = client.search_runs([experiment_id], f"attributes.run_name LIKE '{name}%'", max_results=1000)
    taken = {run.info.run_name for run in found}
    numbered = (f"{name} #{number}" for number in itertools.count(2))
    return next(free for free in itertools.chain([name], numbered) if free not in taken)
