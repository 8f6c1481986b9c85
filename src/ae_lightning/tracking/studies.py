"""The run of a study, its trials' runs below it, and its best model in the registry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning_utilities.core.rank_zero import rank_zero_warn

from ae_lightning.tracking.keys import valid_key
from ae_lightning.tracking.store import connect, find_or_create_experiment

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

PARENT_TAG = "mlflow.parentRunId"
STUDY_TAG = "optuna.study"
TRIAL_TAG = "optuna.trial"
STATE_TAG = "optuna.state"
REASON_TAG = "optuna.reason"


class StudyRun:
    """The MLflow run of a study, over all nights.

    What the store does not take is warned of, never raised: the study itself is in Optuna's storage.

    Args:
        tracking_uri: The store.
        run_id: Of the study's run.
        experiment_id: Of its experiment.
    """

    def __init__(self, tracking_uri: str, run_id: str, experiment_id: str) -> None:
        self.tracking_uri = tracking_uri
        self.run_id = run_id
        self.experiment_id = experiment_id
        self._client = connect(tracking_uri)

    def tags_for(self, study: str, trial: int) -> dict[str, str]:
        """Return the tags that put a trial's run below this one."""
        return {PARENT_TAG: self.run_id, STUDY_TAG: study, TRIAL_TAG: str(trial)}

    def keep_text(self, text: str, name: str) -> None:
        """Keep a text as an artifact."""
        with self.refusal_survived(name):
            self._client.log_text(self.run_id, text, name)

    def keep_folder(self, folder: Path, name: str) -> None:
        """Keep the files of a folder as artifacts in a folder."""
        with self.refusal_survived(name):
            self._client.log_artifacts(self.run_id, str(folder), name)

    def keep_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Log values of the study, at the number of a trial."""
        with self.refusal_survived("metrics"):
            for name, value in metrics.items():
                self._client.log_metric(self.run_id, valid_key(name), value, step=step)

    def keep_params(self, params: Mapping[str, Any]) -> None:
        """Log what the study is, where it is not there yet."""
        with self.refusal_survived("parameters"):
            known = self._client.get_run(self.run_id).data.params
            for name, value in params.items():
                if valid_key(name) not in known:
                    self._client.log_param(self.run_id, valid_key(name), str(value))

    def mark(self, run_id: str, tags: Mapping[str, str], status: str | None = None) -> None:
        """Set tags of a run of the study, and its status where one is given."""
        with self.refusal_survived("tags"):
            for name, value in tags.items():
                self._client.set_tag(run_id, name, value[:500])
            if status is not None:
                self._client.set_terminated(run_id, status)

    def add_failed(self, name: str, tags: Mapping[str, str], params: Mapping[str, Any]) -> None:
        """Add the run of a trial that failed before its own was opened."""
        with self.refusal_survived(name):
            run = self._client.create_run(self.experiment_id, tags=dict(tags), run_name=name)
            for key, value in params.items():
                self._client.log_param(run.info.run_id, valid_key(key), str(value))
            self._client.set_terminated(run.info.run_id, "FAILED")

    def close(self, status: str = "FINISHED") -> None:
        """End the night."""
        with self.refusal_survived(f"the status {status}"):
            self._client.set_terminated(self.run_id, status)

    @contextmanager
    def refusal_survived(self, what: str) -> Iterator[None]:
        """Warn of what the store does not take."""
        from mlflow.exceptions import MlflowException

        try:
            yield
        except (MlflowException, OSError) as error:
            rank_zero_warn(f"MLflow at {self.tracking_uri!r} did not take {what}: {str(error).splitlines()[0][:300]}")


def open_study_run(tracking_uri: str, experiment_name: str, name: str, run_id: str | None) -> StudyRun:
    """Open the run of a study: the one of earlier nights, or a new one.

    Args:
        tracking_uri: The store.
        experiment_name: The experiment that the trials log to, created if it is not there.
        name: Of the study.
        run_id: The run of earlier nights, if any.

    Raises:
        TrackingError: If the store does not answer.
    """
    client = connect(tracking_uri)
    experiment_id = find_or_create_experiment(client, tracking_uri, experiment_name)
    if run_id is None or not _is_there(client, run_id):
        run_id = client.create_run(experiment_id, run_name=f"study {name}", tags={STUDY_TAG: name}).info.run_id
    else:
        client.update_run(run_id, status="RUNNING")
        experiment_id = str(client.get_run(run_id).info.experiment_id)
    return StudyRun(tracking_uri, run_id, experiment_id)


def _is_there(client: MlflowClient, run_id: str) -> bool:
    from mlflow.exceptions import MlflowException

    try:
        return str(client.get_run(run_id).info.lifecycle_stage) == "active"
    except MlflowException:
        return False
