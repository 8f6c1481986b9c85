"""Where MLflow keeps its runs, and whether it answers."""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from ae_lightning.errors import TrackingError

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

DEFAULT_TRACKING_URI = "sqlite:///mlflow.db"
SQLITE_SCHEME = "sqlite:///"

NOWHERE = "http://nowhere.invalid"
"""A store that MLflow makes a client for without looking whether it is there."""


def tracking_uri_from_environment() -> str:
    """Return `MLFLOW_TRACKING_URI`, else the database in the working directory that a bare `mlflow ui` reads."""
    return os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_TRACKING_URI


def shown_uri(tracking_uri: str) -> str:
    """Return a URI, or a text with URIs in it, as messages show it: without users and passwords."""
    return re.sub(r"(?<=://)[^/?#\s]*@", "", tracking_uri)


def is_same_store(uri: str, other: str) -> bool:
    """Whether two addresses are of one store, whoever asks it."""
    return shown_uri(uri).rstrip("/") == shown_uri(other).rstrip("/")


def gets_credentials(tracking_uri: str) -> bool:
    """Whether MLflow's client shows a store the token or password that it finds, which names no server.

    That is of `MLFLOW_TRACKING_TOKEN`, `MLFLOW_TRACKING_PASSWORD`, `MLFLOW_TRACKING_AUTH` or `~/.mlflow/credentials`.
    """
    if not tracking_uri.startswith(("http://", "https://")):
        return False
    _import_quietly()
    from mlflow.utils.credentials import get_default_host_creds

    found = get_default_host_creds(tracking_uri)  # type: ignore[no-untyped-call]
    return any((found.token, found.password, found.auth))


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


_MAX_RETRIES, _TIMEOUT = "MLFLOW_HTTP_REQUEST_MAX_RETRIES", "MLFLOW_HTTP_REQUEST_TIMEOUT"
_SHORT_SECONDS, _LONG_SECONDS = "10", "120"


class _Patience:
    """How long MLflow's HTTP client is to try, unless the environment says it.

    It reads that from the environment at every request, so that all threads share it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._num_impatient = 0
        self._num_with_files = 0
        self._ours: set[str] = set()

    def change(self, impatient: int = 0, with_files: int = 0) -> None:
        """Count who wants it to give up soon, and who sends files meanwhile."""
        with self._lock:
            if self._num_impatient == 0:
                self._ours = {name for name in (_MAX_RETRIES, _TIMEOUT) if name not in os.environ}
            self._num_impatient += impatient
            self._num_with_files += with_files
            seconds = _LONG_SECONDS if self._num_with_files else _SHORT_SECONDS
            for name, value in ((_MAX_RETRIES, "0"), (_TIMEOUT, seconds)):
                if name in self._ours and self._num_impatient:
                    os.environ[name] = value
                elif name in self._ours:
                    os.environ.pop(name, None)


_PATIENCE = _Patience()


@contextmanager
def impatient() -> Iterator[None]:
    """Let MLflow's HTTP client give up after seconds, not minutes."""
    _PATIENCE.change(impatient=1)
    try:
        yield
    finally:
        _PATIENCE.change(impatient=-1)


@contextmanager
def sending_files() -> Iterator[None]:
    """Give requests two minutes where `impatient` gives them ten seconds: a file may take that long."""
    _PATIENCE.change(with_files=1)
    try:
        yield
    finally:
        _PATIENCE.change(with_files=-1)


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
    _import_quietly()
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with impatient(), _creation_lock(tracking_uri):
            client = client_of(tracking_uri)
            client.search_experiments(max_results=1)
    except (MlflowException, SQLAlchemyError, OSError) as error:
        reason = shown_uri(str(error).strip().splitlines()[0][:300])
        raise TrackingError(
            f"MLflow at {shown_uri(tracking_uri)!r} cannot be used ({reason}); start the server, or set "
            f"MLFLOW_TRACKING_URI or --trainer.logger.tracking_uri to another store"
        ) from error
    return client


def client_of(tracking_uri: str) -> MlflowClient:
    """Return a client of a store that is there: a server may be away, and is not asked anything yet."""
    _import_quietly()
    from mlflow.tracking import MlflowClient

    return MlflowClient(absolute_uri(tracking_uri))


def _import_quietly() -> None:
    # Training says nothing to anybody but the store that the user named; MLflow's import decides on that.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    # The report says where the run is; MLflow would say it whenever a run is closed, in the middle of a progress bar.
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    import mlflow  # noqa: F401

    # Its import sets the level to INFO, at which every migration and every pause of the system monitor is told.
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    # What it logs with a traceback it raises too.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)


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


def find_or_create_experiment(client: MlflowClient, tracking_uri: str, name: str) -> str:
    """Return the id of an experiment, created if it is not there.

    Raises:
        TrackingError: If it is deleted, or was made by a server and is now reached past it.
    """
    from mlflow.exceptions import MlflowException

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
    if found.artifact_location.startswith("mlflow-artifacts:") and not tracking_uri.startswith("http"):
        raise TrackingError(
            f"MLflow experiment {name!r} was created by a server that also keeps its artifacts; set "
            "MLFLOW_TRACKING_URI to that server, or give --trainer.logger.experiment_name"
        )
    return str(found.experiment_id)


@contextmanager
def module_functions_at(tracking_uri: str, experiment_id: str) -> Iterator[None]:
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
