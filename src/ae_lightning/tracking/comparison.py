"""Runs to be compared: found, read, and the report kept as a run of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

from ae_lightning.errors import ConfigError, unknown_name
from ae_lightning.plain_text import plain
from ae_lightning.tracking.addresses import shown_uri
from ae_lightning.tracking.answers import own_code, reason_of
from ae_lightning.tracking.described_runs import MAX_NOTE_LENGTH, NOTE_TAG
from ae_lightning.tracking.given import given_experiment, given_run, require_given
from ae_lightning.tracking.runs import checkpoint_folder, every_experiment, known_params, mlflow_run
from ae_lightning.tracking.store import answers_explained, connect

if TYPE_CHECKING:
    from mlflow.entities import Experiment
    from mlflow.entities import Run as MlflowRun
    from mlflow.tracking import MlflowClient

VARIANT_TAG = "ae_lightning.variant"
COMPARISON_TAG = "ae_lightning.comparison"
RUNS_PER_PAGE = 1000
"""What a store answers with at once; there may be more."""


@dataclass(frozen=True)
class TrackedRun:
    """A run of an autoencoder, as MLflow has it, its names and values in plain text.

    Attributes:
        run_id: Its id.
        experiment_id: Its experiment's.
        name: What it is called.
        status: `RUNNING`, `FINISHED`, `FAILED` or `KILLED`.
        variant: Class name of the autoencoder.
        params: Parameters by the command line's keys.
        metrics: The last value of each metric.
        checkpoint_folder: Where it left its checkpoints, if anywhere.
    """

    run_id: str
    experiment_id: str
    name: str
    status: str
    variant: str
    params: dict[str, str]
    metrics: dict[str, float]
    checkpoint_folder: Path | None


class RunReader:
    """Reads runs of a store.

    Args:
        tracking_uri: As MLflow takes it.

    Raises:
        TrackingError: If the store does not answer.
    """

    def __init__(self, tracking_uri: str) -> None:
        self.tracking_uri = tracking_uri
        self._client: MlflowClient = connect(tracking_uri)
        self._explained = partial(answers_explained, tracking_uri)

    def of_experiment(self, name: str | None, filter_string: str = "") -> list[TrackedRun]:
        """Return the autoencoders' runs of an experiment, the oldest first.

        Args:
            name: The experiment; by default the one that MLflow's variables give, else the one with the newest run.
            filter_string: As MLflow's search takes it, such as `metrics.test/mse < 0.01`.

        Raises:
            ConfigError: If there is no such experiment, or MLflow does not understand the filter.
            TrackingError: If the store does not answer.
        """
        with self._explained():
            return self._search(chosen_experiments(self._client, self.tracking_uri, name), filter_string)

    def everywhere(self, filter_string: str) -> list[TrackedRun]:
        """Return the autoencoders' runs of all experiments that a filter keeps, the oldest first.

        Raises:
            ConfigError: If MLflow does not understand the filter.
            TrackingError: If the store does not answer.
        """
        with self._explained():
            return self._search([*every_experiment(self._client)], filter_string)

    def by_id(self, run_ids: Sequence[str]) -> list[TrackedRun]:
        """Return runs in the order in which they are named, each once.

        Raises:
            ConfigError: If one of them does not exist, or is none of an autoencoder.
            TrackingError: If the store does not give one.
        """
        found = []
        for run_id in dict.fromkeys(run_ids):
            run = mlflow_run(self._client, self.tracking_uri, run_id)
            if run is None:
                raise ConfigError(f"--runs: MLflow at {shown_uri(self.tracking_uri)!r} has no run {run_id!r}")
            if VARIANT_TAG not in run.data.tags:
                raise ConfigError(f"--runs: run {run_id!r} trained no autoencoder of this package")
            found.append(_as_tracked(run, self.tracking_uri))
        return found

    def history(self, run_id: str, metric: str) -> list[tuple[int, float]]:
        """Return step and value of all that was logged of a metric.

        Raises:
            TrackingError: If the store does not give them.
        """
        with self._explained():
            return [(point.step, point.value) for point in self._client.get_metric_history(run_id, metric)]

    def text(self, run_id: str, artifact: str) -> str:
        """Return the content of an artifact.

        Raises:
            TrackingError: If the store does not give it.
        """
        with self._explained(), TemporaryDirectory() as folder:
            return Path(self._client.download_artifacts(run_id, artifact, folder)).read_text(encoding="utf-8")

    def keep(self, paths: Sequence[Path], experiment_id: str, run_ids: Sequence[str], note: str) -> str:
        """Keep files as artifacts of the run that `MLFLOW_RUN_ID` gives, or of a new one.

        Args:
            paths: What is kept.
            experiment_id: Experiment of the new run.
            run_ids: The runs that were compared; a tag names them.
            note: What they come to, in Markdown; MLflow shows it above a new run.

        Returns:
            The id of that run.

        Raises:
            TrackingError: If the store does not take them.
        """
        with self._explained():
            own = given_run()
            if own is not None:
                require_given(self._client, self.tracking_uri, own)
            run_id = own or self._new_run(experiment_id, f"comparison of {len(run_ids)} runs")
            self._client.set_tag(run_id, COMPARISON_TAG, " ".join(run_ids)[:MAX_NOTE_LENGTH])
            for path in paths:
                self._client.log_artifact(run_id, str(path))
            if own is None:
                self._client.set_tag(run_id, NOTE_TAG, note[:MAX_NOTE_LENGTH])
                self._client.set_terminated(run_id)
        return run_id

    def _new_run(self, experiment_id: str, name: str) -> str:
        return str(self._client.create_run(experiment_id, run_name=name).info.run_id)

    def experiment_name(self, experiment_id: str) -> str:
        """Return an experiment's name in plain text.

        Raises:
            TrackingError: If the store does not give it.
        """
        with self._explained():
            return plain(self._client.get_experiment(experiment_id).name)

    def _search(self, experiments: Sequence[Experiment], filter_string: str) -> list[TrackedRun]:
        from mlflow.exceptions import MlflowException

        conditions = [f"tags.`{VARIANT_TAG}` != ''", *([filter_string] if filter_string else [])]
        ids = [experiment.experiment_id for experiment in experiments]
        if not ids:
            return []
        try:
            return [_as_tracked(run, self.tracking_uri) for run in self._every_run(ids, " and ".join(conditions))]
        except MlflowException as error:
            if not (filter_string and own_code(error) == "INVALID_PARAMETER_VALUE"):
                raise
            raise ConfigError(f"--filter: {filter_string!r}: {reason_of(error)}") from error

    def _every_run(self, experiment_ids: list[str], filter_string: str) -> Iterator[MlflowRun]:
        """Yield runs page by page, the oldest first."""
        token: str | None = None
        while token != "":
            page = self._client.search_runs(
                experiment_ids,
                filter_string,
                order_by=["attributes.start_time ASC"],
                max_results=RUNS_PER_PAGE,
                page_token=token,
            )
            yield from page
            token = page.token or ""


def chosen_experiments(client: MlflowClient, tracking_uri: str, name: str | None) -> list[Experiment]:
    """Return the experiment of a name, or the one that is meant where none is named; nothing where there are no runs.

    Args:
        client: Of the store.
        tracking_uri: The store.
        name: The experiment; by default the one that MLflow's variables give, else the one with the newest run of an
            autoencoder.

    Raises:
        ConfigError: If there is none of that name.
    """
    name = name or given_experiment(tracking_uri)
    if name is None:
        wanted, newest = f"tags.`{VARIANT_TAG}` != ''", ["attributes.start_time DESC"]
        ids = [found.experiment_id for found in every_experiment(client)]
        runs = client.search_runs(ids, wanted, order_by=newest, max_results=1)
        return [client.get_experiment(run.info.experiment_id) for run in runs]
    chosen = client.get_experiment_by_name(name)
    if chosen is None or chosen.lifecycle_stage != "active":
        raise ConfigError(unknown_name("--experiment", name, [found.name for found in every_experiment(client)]))
    return [chosen]


def metrics_of(run: TrackedRun, stage: Literal["val", "test"]) -> dict[str, float]:
    """Return the measures of a stage without its name, PCA's among them as `pca_NAME`."""
    prefix = f"{stage}/"
    return {name.removeprefix(prefix): value for name, value in run.metrics.items() if name.startswith(prefix)}


def _as_tracked(run: MlflowRun, tracking_uri: str) -> TrackedRun:
    return TrackedRun(
        run_id=run.info.run_id,
        experiment_id=run.info.experiment_id,
        name=plain(run.info.run_name or run.info.run_id),
        status=run.info.status,
        variant=plain(run.data.tags[VARIANT_TAG]),
        params={plain(key): plain(value) for key, value in known_params(run.data).items()},
        metrics={plain(key): value for key, value in run.data.metrics.items()},
        checkpoint_folder=checkpoint_folder(run.data.tags, tracking_uri),
    )
