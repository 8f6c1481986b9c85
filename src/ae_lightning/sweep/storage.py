"""Optuna's storage: one that waits for a database that went away, and one sweep of a study at a time."""

from __future__ import annotations

import functools
import inspect
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    IntegrityError,
    NoSuchModuleError,
    ProgrammingError,
    SQLAlchemyError,
)

from ae_lightning.errors import ConfigError

logger = logging.getLogger(__name__)

MAX_RETRIES_OF_A_LOST_TRIAL = 1
HEARTBEATS_PER_PATIENCE = 8
GRACE_PER_PATIENCE = 1.5
"""A trial counts as lost only after an outage that would have ended its worker too."""

MAX_PAUSE = 5.0
StaleCallback = Callable[[Study, FrozenTrial], None]


class PatientStorage(RDBStorage):
    """An RDBStorage that tries every call again until the database is back.

    Args:
        url: Of the database.
        patience: Seconds until it gives up.
        on_lost_trial: Called with a trial whose heartbeat stopped; None for a study that has one worker and no
            heartbeat.
    """

    def __init__(self, url: str, patience: float, on_lost_trial: StaleCallback | None) -> None:
        self._patience = patience
        self._calls = threading.local()
        super().__init__(
            url,
            engine_kwargs={"pool_pre_ping": True},
            heartbeat_interval=max(1, int(patience / HEARTBEATS_PER_PATIENCE)) if on_lost_trial else None,
            grace_period=int(patience * GRACE_PER_PATIENCE) if on_lost_trial else None,
            heartbeat_stale_trial_callback=on_lost_trial,
        )

    def persist(self, call: Callable[[], Any]) -> Any:
        """Make a call, again and again until it is answered; calls within it are not repeated by themselves.

        Raises:
            StorageInternalError: If the database was not back in time.
        """
        if getattr(self._calls, "is_inside", False):
            return call()
        self._calls.is_inside = True
        end = time.monotonic() + self._patience
        try:
            return retried(call, end)
        finally:
            self._calls.is_inside = False

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """Set a trial's state; where only the answer was lost, and not the change, there is nothing left to do."""
        num_calls = 0

        def call() -> bool:
            nonlocal num_calls
            num_calls += 1
            try:
                if state == TrialState.RUNNING and self.heartbeat_interval is not None:
                    # Before it runs: by its last worker's heartbeat, or with none, it would be lost at once, or never.
                    super(PatientStorage, self).record_heartbeat(trial_id)
                return super(PatientStorage, self).set_trial_state_values(trial_id, state, values)
            except UpdateFinishedTrialError:
                if num_calls > 1 and super(PatientStorage, self).get_trial(trial_id).state == state:
                    return True
                raise

        return bool(self.persist(call))

    def record_heartbeat(self, trial_id: int) -> None:
        """Record that a trial's worker lives; Optuna's thread for it would die with the first call that fails."""
        try:
            self.persist(lambda: super(PatientStorage, self).record_heartbeat(trial_id))
        except (StorageInternalError, SQLAlchemyError) as error:
            logger.warning("heartbeat of trial %d: the storage does not answer (%s)", trial_id, error)


def retried(call: Callable[[], Any], end: float) -> Any:
    """Make a call until it is answered, or a moment of the monotonic clock has come.

    Raises:
        StorageInternalError: If it was not answered in time.
    """
    pause = 0.25
    while True:
        try:
            return call()
        except (StorageInternalError, SQLAlchemyError) as error:
            if not _is_outage(error) or time.monotonic() + pause > end:
                raise
        time.sleep(pause)
        pause = min(2 * pause, MAX_PAUSE)


def _is_outage(error: Exception) -> bool:
    cause = error.__cause__ if isinstance(error, StorageInternalError) else error
    return not isinstance(cause, DataError | IntegrityError | ProgrammingError)


def _patient(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def method(self: PatientStorage, *args: Any, **kwargs: Any) -> Any:
        return self.persist(lambda: original(self, *args, **kwargs))

    return method


# Optuna's cache calls its methods past the public ones.
for _name, _method in vars(RDBStorage).items():
    if inspect.isfunction(_method) and not _name.startswith("__") and _name not in vars(PatientStorage):
        setattr(PatientStorage, _name, _patient(_method))


def open_storage(url: str, patience: float, *, is_shared: bool, on_lost_trial: StaleCallback) -> PatientStorage:
    """Open a storage.

    Args:
        url: Of the database.
        patience: Seconds that an outage may last.
        is_shared: Whether several workers may use it: SQLite has none.
        on_lost_trial: Called with a trial whose worker died.

    Raises:
        ConfigError: If it cannot be opened.
    """
    try:
        return PatientStorage(url, patience, on_lost_trial if is_shared else None)
    except (SQLAlchemyError, StorageInternalError, ImportError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error.__cause__ or error).split())[:300]
        raise ConfigError(f"storage: {_shown(url)} cannot be used ({reason})") from error


def _shown(url: str) -> str:
    """Return a URL without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):
        return _without_credentials(url)


def is_sqlite(url: str) -> bool:
    """Whether a storage is an SQLite file.

    Raises:
        ConfigError: If the URL is none.
    """
    try:
        return make_url(url).get_backend_name() == "sqlite"
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        said = f"{_without_credentials(url)!r} is no URL of a database such as sqlite:///optuna.db"
        raise ConfigError(f"storage: {said}") from error


def _without_credentials(url: str) -> str:
    """Return what is no URL without what may be its user and password."""
    kind, at, place = url.partition(":")[0], *url.rpartition("@")[1:]
    return f"{kind}:***@{place}" if at else url


def retry_once(study: Study, trial: FrozenTrial) -> None:
    """Queue a lost trial again, with its parameters, if it is lost for the first time."""
    RetryHeartbeatStaleTrialCallback(max_retry=MAX_RETRIES_OF_A_LOST_TRIAL)(study, trial)


def lock_path(url: str, name: str) -> Path:
    """Return the lock of a study: beside an SQLite file, else in the working directory, named by the database.

    Raises:
        ConfigError: If the URL is none of a database.
    """
    if is_sqlite(url):
        return Path(f"{make_url(url).database or 'sweep'}.{name}.lock")
    where = make_url(url)
    parts = [str(part) for part in (where.host, where.port, where.database, name) if part]
    return Path(re.sub(r"[^\w.-]", "_", ".".join(parts)) + ".lock")


@contextmanager
def sole_sweep(url: str, name: str) -> Iterator[None]:
    """Keep this machine from sweeping a study twice at a time.

    Raises:
        ConfigError: If it does already, or the lock cannot be written.
    """
    path = lock_path(url, name)
    try:
        lock = FileLock(path, timeout=0).acquire()
    except Timeout as error:
        raise ConfigError(f"study {name!r} is being swept by another process already (lock {path})") from error
    except OSError as error:
        raise ConfigError(f"storage: {path} cannot be written ({error.strerror})") from error
    # Outside the `try`: what fails in a whole sweep is not the lock.
    with lock:
        yield
