"""Lightning's MLflow logger, with what a night of unattended runs needs.

A database that eight processes may create at once, parameters in full, metrics written by a thread of their own, a run
status that tells the truth, and faults said in one line.
"""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers import MLFlowLogger
from lightning_utilities.core.rank_zero import rank_zero_only, rank_zero_warn

from ae_lightning.errors import TrackingError
from ae_lightning.tracking.keys import command_line_keys, valid_key
from ae_lightning.tracking.models import log_model
from ae_lightning.tracking.runs import is_missing
from ae_lightning.tracking.store import (
    absolute_uri,
    connect,
    find_or_create_experiment,
    tracking_uri_from_environment,
)
from ae_lightning.tracking.writer import MetricWriter

if TYPE_CHECKING:
    from lightning.pytorch import Trainer
    from mlflow.tracking import MlflowClient

NOWHERE = "http://nowhere.invalid"
"""A store that MLflow makes a client for without looking whether it is there."""

MAX_PARAM_LENGTH = 6000
MAX_PARAMS_PER_BATCH = 100


class MLflowTracker(MLFlowLogger):
    """Logs runs to MLflow: parameters, metrics, texts, pictures, system metrics and models.

    Args:
        experiment_name: Experiment of the run; by default the name of the data set.
        run_name: Name of the run; by default the variant and its latent_dim, such as `VAE-32`.
        tracking_uri: MLflow store; by default `MLFLOW_TRACKING_URI`, else `sqlite:///mlflow.db`.
        tags: Tags of the run.
        run_id: An existing run to go on with.
        system_metrics: Log the machine's load (processor, memory, disk, network, GPU) every 5 seconds.

    Attributes:
        keeps_status: Leave the status of the run given as it is: it is judged, not trained on.
    """

    def __init__(
        self,
        experiment_name: str | None = None,
        run_name: str | None = None,
        tracking_uri: str | None = None,
        tags: dict[str, str] | None = None,
        run_id: str | None = None,
        system_metrics: bool = True,
    ) -> None:
        super().__init__(
            experiment_name=experiment_name or "ae_lightning",
            run_name=run_name,
            # Lightning connects here, which would create the database at once, on every rank and under no lock.
            tracking_uri=NOWHERE,
            tags=dict(tags or {}),
            run_id=run_id,
        )
        self._tracking_uri = tracking_uri or tracking_uri_from_environment()
        self._experiment_is_named = experiment_name is not None
        self._wants_system_metrics = system_metrics
        self._system_monitor: Any = None
        self._writer: MetricWriter | None = None
        self._killed = False
        self._was_open = False
        self._is_guest = False
        self._known_steps: dict[str, int] = {}
        self.keeps_status = False

    @property
    def tracking_uri(self) -> str:
        """The MLflow store of the run."""
        return self._tracking_uri

    @property
    def experiment_name(self) -> str:
        """The experiment of the run."""
        return self._experiment_name

    @property
    @rank_zero_experiment
    def experiment(self) -> MlflowClient:
        """The MLflow client, the run created if it is not there yet."""
        if self._experiment_id is None:
            self.open()
        return self._mlflow_client

    def suggest_names(self, experiment_name: str, run_name: str) -> None:
        """Name experiment and run where the user did not; before `open`."""
        if not self._experiment_is_named:
            self._experiment_name = experiment_name
        self._run_name = self._run_name or run_name

    @rank_zero_only
    def open(self) -> None:
        """Create the run, or go on with the one given: its status is RUNNING from here on.

        Raises:
            TrackingError: If the store does not answer, or the experiment or run cannot be used.
        """
        if self._writer is not None:
            return
        if self._was_open:
            self._reopen()
        else:
            self._open_first()
            self._was_open = True
        self._killed = False
        self._writer = MetricWriter(self._mlflow_client, self._existing_run_id())
        self._start_system_monitor()

    def _open_first(self) -> None:
        from mlflow.exceptions import MlflowException

        self._mlflow_client = connect(self._tracking_uri)
        try:
            self._resume_run() if self._run_id is not None else self._create_run()
        except MlflowException as error:
            raise TrackingError(f"MLflow at {self._tracking_uri!r}: {str(error).splitlines()[0]}") from error

    def _reopen(self) -> None:
        """Go on with this tracker's own run: what was trained is judged, even if the server has died meanwhile."""
        if not self._is_guest:
            with self._refusal_survived("the run's status RUNNING"):
                self._mlflow_client.update_run(self._existing_run_id(), status="RUNNING")

    def _existing_run_id(self) -> str:
        assert self._run_id is not None, "open() comes first"
        return self._run_id

    def _resume_run(self) -> None:
        """Go on with a run; a checkpoint from elsewhere may name one that this store does not have."""
        from mlflow.exceptions import MlflowException

        run_id = self._existing_run_id()
        try:
            run = self._mlflow_client.get_run(run_id)
        except MlflowException as error:
            if not is_missing(error):
                raise
            rank_zero_warn(f"MLflow at {self._tracking_uri!r} has no run {run_id}: a new one is started")
            self._run_id = None
            self._create_run()
            return
        self._experiment_id = str(run.info.experiment_id)
        self._is_guest = self.keeps_status
        if not self._is_guest:
            self._mlflow_client.update_run(run_id, status="RUNNING")
            self._known_steps = {metric.key: metric.step for metric in run.data._metric_objs}

    def _create_run(self) -> None:
        from mlflow.tracking.context.registry import resolve_tags

        self._experiment_id = find_or_create_experiment(self._mlflow_client, self._tracking_uri, self._experiment_name)
        run = self._mlflow_client.create_run(self._experiment_id, run_name=self._run_name, tags=resolve_tags(self.tags))
        self._run_id = run.info.run_id

    def _start_system_monitor(self) -> None:
        if not self._wants_system_metrics:
            return
        from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

        self._system_monitor = SystemMetricsMonitor(  # type: ignore[no-untyped-call]
            self._run_id, sampling_interval=5, resume_logging=True, tracking_uri=absolute_uri(self._tracking_uri)
        )
        self._system_monitor.start()

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace) -> None:
        """Log parameters in full, under the keys of the command line.

        MLflow keeps a parameter's first value for good. Where a resumed run has another, that is kept as the tag
        `resumed.KEY`.
        """
        values = params if isinstance(params, dict) else vars(params)
        flat = {valid_key(key): str(value)[:MAX_PARAM_LENGTH] for key, value in command_line_keys(values).items()}
        self.open()
        with self._refusal_explained():
            self._log_params(flat)

    def _log_params(self, flat: dict[str, str]) -> None:
        from mlflow.entities import Param, RunTag

        client, run_id = self._mlflow_client, self._existing_run_id()
        known = client.get_run(run_id).data.params
        new = [Param(key, value) for key, value in flat.items() if key not in known]
        changed = [RunTag(f"resumed.{key}", value) for key, value in flat.items() if known.get(key, value) != value]
        for start in range(0, len(new), MAX_PARAMS_PER_BATCH):
            client.log_batch(run_id, params=new[start : start + MAX_PARAMS_PER_BATCH])
        client.log_batch(run_id, tags=changed)

    @contextmanager
    def _refusal_explained(self) -> Iterator[None]:
        from mlflow.exceptions import MlflowException

        try:
            yield
        except (MlflowException, OSError) as error:
            raise TrackingError(f"MLflow at {self._tracking_uri!r}: {str(error).splitlines()[0][:300]}") from error

    @contextmanager
    def _refusal_survived(self, what: str) -> Iterator[None]:
        """Warn of what a store does not take once training has begun: a night's work is worth more than a picture."""
        from mlflow.exceptions import MlflowException

        try:
            yield
        except (MlflowException, OSError) as error:
            reason = str(error).splitlines()[0][:300]
            rank_zero_warn(f"MLflow at {self._tracking_uri!r} did not take {what}: {reason}")

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Hand metrics over to be written while training goes on.

        A run that is gone on with repeats the steps since its last checkpoint: what MLflow has of them is not written
        again.
        """
        from mlflow.entities import Metric

        self.open()
        assert self._writer is not None
        now, step = int(time.time() * 1000), step or 0
        named = {valid_key(name): float(value) for name, value in metrics.items()}
        new = [
            Metric(name, value, now, step) for name, value in named.items() if step > self._known_steps.get(name, -1)
        ]
        self._writer.submit(new)

    @rank_zero_only
    def flush(self) -> None:
        """Wait, for a few seconds at most, until MLflow has the metrics logged so far."""
        if self._writer is not None:
            self._writer.flush()

    @rank_zero_only
    def log_text(self, text: str, artifact_file: str) -> None:
        """Keep a text as an artifact of the run.

        Raises:
            TrackingError: If the store does not take it.
        """
        self.open()
        with self._refusal_explained():
            self._mlflow_client.log_text(self._existing_run_id(), text, artifact_file)

    @rank_zero_only
    def log_file(self, path: Path, artifact_folder: str) -> None:
        """Keep a file as an artifact of the run; warn if the store does not take it."""
        self.open()
        with self._refusal_survived(f"{artifact_folder}/{path.name}"):
            self._mlflow_client.log_artifact(self._existing_run_id(), str(path), artifact_folder)

    @rank_zero_only
    def log_picture(self, path: Path, name: str, step: int) -> None:
        """Show a PNG in the image grid of MLflow's charts, beside other runs' of that name; warn if it is not taken.

        Args:
            path: The PNG.
            name: Name of the grid, such as `test/reconstructions`.
            step: Where the grid's slider shows it.
        """
        from PIL import Image

        self.open()
        with self._refusal_survived(name), Image.open(path) as picture:
            self._mlflow_client.log_image(self._existing_run_id(), picture, key=name, step=step, synchronous=True)

    @rank_zero_only
    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags of the run.

        Raises:
            TrackingError: If the store does not take them.
        """
        from mlflow.entities import RunTag

        self.open()
        with self._refusal_explained():
            self._mlflow_client.log_batch(self._existing_run_id(), tags=[RunTag(*item) for item in tags.items()])

    @rank_zero_only
    def log_autoencoder(self, checkpoint: Path, example_BCHW: np.ndarray, latent_dim: int) -> None:
        """Log a checkpoint as an MLflow model; warn if the store does not take it, since the checkpoint is still there.

        Args:
            checkpoint: A checkpoint of an autoencoder.
            example_BCHW: A few images in [0, 1], float32.
            latent_dim: Length of a code.
        """
        self.open()
        uri, experiment_id, run_id = self._tracking_uri, str(self._experiment_id), self._existing_run_id()
        with self._refusal_survived("the model"):
            log_model(uri, experiment_id, run_id, checkpoint, example_BCHW, latent_dim)

    def mark_killed(self) -> None:
        """Say that the run ends because somebody ended it, not because it failed."""
        self._killed = True

    @rank_zero_only
    def finalize(self, status: str = "success") -> None:
        """Write what waits and close the run: FINISHED, FAILED, or KILLED after a signal."""
        from mlflow.exceptions import MlflowException

        if self._writer is None:
            return
        if self._system_monitor is not None:
            self._system_monitor.finish()
            self._system_monitor = None
        lost = self._writer.close()
        self._writer = None
        if lost:
            rank_zero_warn(f"MLflow at {self._tracking_uri!r} did not take the last {lost} metrics")
        if self._is_guest:
            return
        final = "KILLED" if self._killed else "FAILED" if status == "failed" else "FINISHED"
        try:
            self._mlflow_client.set_terminated(self._existing_run_id(), final)
        except MlflowException as error:
            rank_zero_warn(f"MLflow at {self._tracking_uri!r} did not take the run's status {final}: {error}")


def trackers(trainer: Trainer) -> list[MLflowTracker]:
    """Return a Trainer's MLflow loggers."""
    return [logger for logger in trainer.loggers if isinstance(logger, MLflowTracker)]
