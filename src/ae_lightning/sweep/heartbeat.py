"""A sign of life from the worker of a trial, which outlives the database's outages."""

from __future__ import annotations

import logging
import threading
from types import TracebackType

from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage
from sqlalchemy.exc import SQLAlchemyError

logger = logging.getLogger(__name__)


def heartbeat_interval(storage: BaseStorage) -> int | None:
    """Return the seconds between two heartbeats; None where the storage has none."""
    interval: int | None = getattr(storage, "get_heartbeat_interval", lambda: None)()
    return interval


class Heartbeat:
    """Records that a trial is alive, as long as the block lasts.

    Optuna's own thread dies with the first call that fails, and its trial then counts as lost.

    Args:
        storage: Optuna's.
        trial_id: Of the trial.
    """

    def __init__(self, storage: BaseStorage, trial_id: int) -> None:
        self._record = getattr(storage, "record_heartbeat", None)
        self._interval = heartbeat_interval(storage)
        self._trial_id = trial_id
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> None:
        """Record it once, then from a thread."""
        if self._interval is not None:
            self._beat()
            self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            self._beat()

    def _beat(self) -> None:
        try:
            assert self._record is not None
            self._record(self._trial_id)
        except (StorageInternalError, SQLAlchemyError) as error:
            logger.warning("heartbeat of trial %d: the storage does not answer (%s)", self._trial_id, error)
