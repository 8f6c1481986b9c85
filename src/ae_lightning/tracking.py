"""MLflow: the one file that imports it.

`MLflowTracker` is Lightning's own logger with what a night of unattended runs needs: a database that eight processes
may create at once, parameters in full, metrics written by a thread of their own, a run status that tells the truth,
and faults said in one line.
"""

from __future__ import annotations

import atexit
import logging
import os
import re
import threading
import time
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock
from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers import MLFlowLogger
from lightning_utilities.core.rank_zero import rank_zero_only, rank_zero_warn

from ae_lightning.errors import TrackingError

if TYPE_CHECKING:
    from lightning.pytorch import Trainer
    from mlflow.entities import Metric
    from mlflow.entities import Run as MlflowRun
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

DEFAULT_TRACKING_URI = "sqlite:///mlflow.db"
SQLITE_SCHEME = "sqlite:///"
NOWHERE = "http://nowhere.invalid"
"""A store that MLflow makes a client for without looking whether it is there."""

MAX_PARAM_LENGTH = 6000
MAX_PARAMS_PER_BATCH = 100
MAX_METRICS_PER_BATCH = 1000
CONFIG_HASH_TAG = "ae_lightning.config_hash"
CHECKPOINT_FOLDER_TAG = "ae_lightning.checkpoints"


def tracking_uri_from_environment() -> str:
    """Return `MLFLOW_TRACKING_URI`, else the database in the working directory that a bare `mlflow ui` reads."""
    return os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_TRACKING_URI


def absolute_uri(tracking_uri: str) -> str:
    """Give a sqlite database its full path.

    MLflow keeps its connections by URI, so a relative one would lead a process that changes its working directory back
    to the database of the old one.
    """
    database = _database_of(tracking_uri)
    return tracking_uri if database is None else f"{SQLITE_SCHEME}{database.resolve()}"


def _database_of(tracking_uri: str) -> Path | None:
    path = tracking_uri.removeprefix(SQLITE_SCHEME)
    return Path(path) if path not in ("", tracking_uri, ":memory:") else None


def valid_key(key: str) -> str:
    """Replace what MLflow refuses in a parameter's or metric's name."""
    return re.sub(r"[^\w/. -]", "_", key)


@contextmanager
def _short_patience() -> Iterator[None]:
    """Let MLflow's HTTP client give up after seconds, not minutes: a server is only asked whether it is there."""
    impatient = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
    before = {name: os.environ.get(name) for name in impatient}
    os.environ.update({name: value for name, value in impatient.items() if before[name] is None})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)


def connect(tracking_uri: str) -> MlflowClient:
    """Open an MLflow store and make sure that it answers.

    A sqlite database is created under a lock: processes that create one at the same time break each other's migrations.

    Args:
        tracking_uri: As MLflow takes it.

    Returns:
        A client of that store.

    Raises:
        TrackingError: If the store cannot be reached, created or written.
    """
    # Training says nothing to anybody but the store that the user named.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient
    from sqlalchemy.exc import SQLAlchemyError

    # Its import sets the level to INFO, at which every migration and every pause of the system monitor is told.
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    try:
        with _short_patience(), _creation_lock(tracking_uri):
            client = MlflowClient(absolute_uri(tracking_uri))
            client.search_experiments(max_results=1)
    except (MlflowException, SQLAlchemyError, OSError) as error:
        reason = str(error).strip().splitlines()[0][:300]
        raise TrackingError(
            f"MLflow at {tracking_uri!r} cannot be used ({reason}); start the server, or set MLFLOW_TRACKING_URI "
            f"or --trainer.logger.tracking_uri to another store"
        ) from error
    return client


@contextmanager
def _creation_lock(tracking_uri: str) -> Iterator[None]:
    database = _database_of(tracking_uri)
    if database is None:
        yield
        return
    # A database that is there already may be one that another process is just creating.
    if not database.parent.is_dir():
        raise NotADirectoryError(f"{database.parent} is not a directory")
    with FileLock(f"{database}.lock"):
        yield


@contextmanager
def _module_functions_at(tracking_uri: str, experiment_id: str) -> Iterator[None]:
    """Let MLflow's module-level functions use a store; left so, the process's next run would go there too."""
    import mlflow

    variables = ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_ID")
    environment = {name: os.environ.get(name) for name in variables}
    was_set = mlflow.is_tracking_uri_set()  # type: ignore[no-untyped-call]
    before = mlflow.get_tracking_uri() if was_set else None
    mlflow.set_tracking_uri(absolute_uri(tracking_uri))
    mlflow.set_experiment(experiment_id=experiment_id)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before)  # type: ignore[arg-type]
        for name, value in environment.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


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
    from mlflow.exceptions import MlflowException

    client = connect(tracking_uri)
    try:
        return _as_run(client.get_run(run_id))
    except MlflowException as error:
        if is_missing(error):
            return None
        raise TrackingError(f"MLflow at {tracking_uri!r}: {str(error).splitlines()[0]}") from error


def unfinished_runs(tracking_uri: str, config_hash: str) -> list[Run]:
    """Return the runs with a configuration that are not FINISHED, the newest first.

    Raises:
        TrackingError: If the store does not answer.
    """
    client = connect(tracking_uri)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    found = client.search_runs(
        experiments,
        filter_string=f"tags.`{CONFIG_HASH_TAG}` = '{config_hash}' and attributes.status != 'FINISHED'",
        order_by=["attributes.start_time DESC"],
    )
    return [_as_run(run) for run in found]


def is_missing(error: MlflowException) -> bool:
    """Whether MLflow says that what was asked for does not exist."""
    return error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")


def _as_run(run: MlflowRun) -> Run:
    return Run(run.info.run_id, run.info.status, dict(run.data.tags))


class MetricWriter:
    """Hands metrics to MLflow from a thread of its own, in order, many to a request.

    Args:
        client: Where they go.
        run_id: The run that they belong to.
        interval: Seconds between two requests.
    """

    def __init__(self, client: MlflowClient, run_id: str, interval: float = 1.0) -> None:
        self._client = client
        self._run_id = run_id
        self._interval = interval
        self._waiting: list[Metric] = []
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="metric-writer", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def submit(self, metrics: list[Metric]) -> None:
        """Take metrics and return at once."""
        with self._lock:
            self._waiting.extend(metrics)

    def close(self) -> int:
        """Send what waits, end the thread, and return how many metrics could not be sent."""
        atexit.unregister(self.close)
        self._stop.set()
        self._thread.join()
        self._send()
        return len(self._waiting)

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            self._send()

    def _send(self) -> None:
        """Send all that waits; what the store does not take stays, in order, for the next try."""
        with self._sending:
            while batch := self._waiting[:MAX_METRICS_PER_BATCH]:
                try:
                    self._client.log_batch(self._run_id, metrics=batch)
                except Exception as error:
                    rank_zero_warn(f"MLflow did not take {len(batch)} metrics, kept for the next try: {error}")
                    return
                with self._lock:
                    del self._waiting[: len(batch)]


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
        self.keeps_status = False

    @property
    def tracking_uri(self) -> str:
        """The MLflow store of the run."""
        return self._tracking_uri

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

    def _create_run(self) -> None:
        from mlflow.tracking.context.registry import resolve_tags

        self._experiment_id = self._find_or_create_experiment()
        run = self._mlflow_client.create_run(self._experiment_id, run_name=self._run_name, tags=resolve_tags(self.tags))
        self._run_id = run.info.run_id

    def _find_or_create_experiment(self) -> str:
        from mlflow.exceptions import MlflowException

        client, name = self._mlflow_client, self._experiment_name
        found = client.get_experiment_by_name(name)
        if found is None:
            try:
                return str(client.create_experiment(name))
            except MlflowException:
                # Another process may have created it in between.
                found = client.get_experiment_by_name(name)
                if found is None:
                    raise
        if found.lifecycle_stage == "deleted":
            raise TrackingError(
                f"MLflow experiment {name!r} is deleted; restore it (mlflow experiments restore "
                f"--experiment-id {found.experiment_id}) or give --trainer.logger.experiment_name"
            )
        if found.artifact_location.startswith("mlflow-artifacts:") and not self._tracking_uri.startswith("http"):
            raise TrackingError(
                f"MLflow experiment {name!r} was created by a server that also keeps its artifacts; set "
                "MLFLOW_TRACKING_URI to that server, or give --trainer.logger.experiment_name"
            )
        return str(found.experiment_id)

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
        """Hand metrics over to be written while training goes on."""
        from mlflow.entities import Metric

        self.open()
        assert self._writer is not None
        now = int(time.time() * 1000)
        self._writer.submit([Metric(valid_key(name), float(value), now, step or 0) for name, value in metrics.items()])

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
        """Log a checkpoint as an MLflow model with signature and input example.

        `mlflow.pyfunc.load_model` loads it through `ae_lightning.serving`: nothing is pickled. If the store does not
        take it, there is a warning; the checkpoint is still there.

        Args:
            checkpoint: A checkpoint of an autoencoder.
            example_BCHW: A few images in [0, 1], float32.
            latent_dim: Length of a code.
        """
        from mlflow import pyfunc
        from mlflow.models import Model, ModelSignature
        from mlflow.types import Schema, TensorSpec

        self.open()
        shape = (-1, *example_BCHW.shape[1:])
        kind = np.dtype(np.float32)
        signature = ModelSignature(
            inputs=Schema([TensorSpec(kind, shape)]),
            outputs=Schema([TensorSpec(kind, (-1, latent_dim), "codes"), TensorSpec(kind, shape, "reconstructions")]),
        )
        uri, experiment_id = self._tracking_uri, str(self._experiment_id)
        with self._refusal_survived("the model"), _module_functions_at(uri, experiment_id):
            Model.log(
                artifact_path=None,
                name="model",
                flavor=pyfunc,
                run_id=self._existing_run_id(),
                loader_module="ae_lightning.serving",
                data_path=str(checkpoint),
                signature=signature,
                input_example=example_BCHW,
                pip_requirements=["ae_lightning"],
            )

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


def command_line_keys(values: Mapping[str, Any]) -> dict[str, Any]:
    """Flatten a configuration to the keys of the command line: no `init_args`, and a class under its own key.

    Args:
        values: A resolved configuration.

    Returns:
        Values by dotted key; short class names; lists as they are.
    """
    flat: dict[str, Any] = {}
    for key, value in values.items():
        _flatten(key, value, flat)
    return flat


def _flatten(key: str, value: Any, flat: dict[str, Any]) -> None:
    if isinstance(value, Mapping) and "class_path" in value:
        flat[key] = str(value["class_path"]).rsplit(".", 1)[-1]
        value = value.get("init_args") or {}
    if isinstance(value, Mapping):
        for name, inner in value.items():
            _flatten(f"{key}.{name}", inner, flat)
    else:
        flat[key] = value
