"""Where MLflow keeps its runs, and whether it answers."""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from ae_lightning.collector import resting
from ae_lightning.errors import TrackingError
from ae_lightning.machine.environment import put_back, variables
from ae_lightning.tracking.addresses import absolute_uri, database_of, is_server, shown_uri
from ae_lightning.tracking.answers import is_away, is_of_mlflows_client, reason_of
from ae_lightning.tracking.asking import asked
from ae_lightning.tracking.database import holds_no_run, opening
from ae_lightning.tracking.moved_stores import bring_home

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient


def gets_credentials(tracking_uri: str) -> bool:
    """Whether MLflow's client shows a store the token or password that it finds, which names no server.

    That is of `MLFLOW_TRACKING_TOKEN`, `MLFLOW_TRACKING_PASSWORD`, `MLFLOW_TRACKING_AUTH` or `~/.mlflow/credentials`.
    """
    if not is_server(tracking_uri):
        return False
    import_mlflow()
    from mlflow.utils.credentials import get_default_host_creds

    found = get_default_host_creds(tracking_uri)  # type: ignore[no-untyped-call]
    return any((found.token, found.password, found.auth))


_UNFINISHED = "already exists|duplicate column|no such (table|column)|found version None"
"""What MLflow's migrations stumble over where others before them were ended."""

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

    A sqlite database is made where it is not there yet.

    Args:
        tracking_uri: As MLflow takes it.

    Returns:
        A client of that store.

    Raises:
        TrackingError: If the store cannot be reached, created or written.
    """
    import_mlflow()
    database = database_of(tracking_uri)
    try:
        # The first client imports more, and a new database goes through all migrations there have been.
        with resting(), impatient(), nullcontext() if database is None else opening(database.resolve()):
            client = client_of(tracking_uri)
            asked(tracking_uri, client.search_experiments, max_results=1)
            if database is not None:
                bring_home(database.resolve())
    except TrackingError:
        raise
    except Exception as error:
        # Stores raise errors of many libraries.
        raise TrackingError(
            f"MLflow at {shown_uri(tracking_uri)!r} cannot be used {_remedy(error, tracking_uri)}"
        ) from error
    return client


def _remedy(error: Exception, tracking_uri: str) -> str:
    """Say why a store cannot be used, and what can be done: only one that nobody answers at is to be started."""
    elsewhere = "set MLFLOW_TRACKING_URI or --trainer.logger.tracking_uri to another store"
    uri, reason = shown_uri(tracking_uri), reason_of(error)
    if is_server(tracking_uri) and is_away(error):
        return f"({reason}); start the server, or {elsewhere}"
    version = re.search(r"(?:found version|revision identified by) '?(\w+)", reason)
    if version and not _knows(version[1]):
        import mlflow

        return (
            f"(a newer MLflow than {mlflow.__version__} made it: its schema has version {version[1]}, which this one "
            f"does not know); update MLflow, or {elsewhere}"
        )
    database = database_of(tracking_uri)
    if database is not None and re.search(_UNFINISHED, reason) and holds_no_run(database):
        return (
            f"({reason}): what was to make it was ended before it was whole, and it holds no run; remove it, and a new "
            "one is made"
        )
    return f"({reason.replace('<database_uri>', uri)}); mend that, or {elsewhere}"


def _knows(version: str) -> bool:
    """Whether the MLflow installed has made, or could make, a database of a version."""
    import mlflow

    # One without a version is no newer one: it was begun, and not finished.
    migrations = Path(mlflow.__file__).parent / "store" / "db_migrations" / "versions"
    return version == "None" or any(migrations.glob(f"{version}_*.py"))


@contextmanager
def answers_explained(tracking_uri: str) -> Iterator[None]:
    """Say in one line what a store answers that is no answer.

    Raises:
        TrackingError: In place of what MLflow's client raises, or a library that it keeps artifacts with.
    """
    from mlflow.exceptions import MlflowException

    try:
        yield
    except Exception as error:
        if not isinstance(error, MlflowException | OSError) and not is_of_mlflows_client(error):
            raise
        raise TrackingError(f"MLflow at {shown_uri(tracking_uri)!r}: {reason_of(error)}") from error


def client_of(tracking_uri: str) -> MlflowClient:
    """Return a client of a store that is there: a server may be away, and is not asked anything yet."""
    import_mlflow()
    from mlflow.tracking import MlflowClient

    return MlflowClient(absolute_uri(tracking_uri))


def import_mlflow() -> None:
    """Import MLflow, which then says nothing to anybody but the store."""
    # Training says nothing to anybody but the store that the user named; MLflow's import decides on that.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    # The report says where the run is; MLflow would say it whenever a run is closed, in the middle of a progress bar.
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    with resting():
        import mlflow  # noqa: F401

    # Its import sets the level to INFO, at which every migration and every pause of the system monitor is told.
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    # What it logs with a traceback it raises too.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)


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
    if found.artifact_location.startswith("mlflow-artifacts:") and not is_server(tracking_uri):
        raise TrackingError(
            f"MLflow experiment {name!r} was created by a server that also keeps its artifacts; set "
            "MLFLOW_TRACKING_URI to that server, or give --trainer.logger.experiment_name"
        )
    return str(found.experiment_id)


@contextmanager
def module_functions_at(tracking_uri: str, experiment_id: str | None = None) -> Iterator[None]:
    """Let MLflow's module-level functions use a store; left so, the process's next run would go there too."""
    import mlflow

    environment = variables(("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_ID"))
    was_set = mlflow.is_tracking_uri_set()  # type: ignore[no-untyped-call]
    before = mlflow.get_tracking_uri() if was_set else None
    mlflow.set_tracking_uri(absolute_uri(tracking_uri))
    if experiment_id is not None:
        mlflow.set_experiment(experiment_id=experiment_id)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before)  # type: ignore[arg-type]
        put_back(environment)
