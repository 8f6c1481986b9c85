"""Writes delivered while training goes on, and put on disk while the store is away."""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from lightning_utilities.core.rank_zero import rank_zero_info, rank_zero_warn

from ae_lightning.tracking.addresses import shown_uri
from ae_lightning.tracking.delivery import StoreAwayError, deliver, require_run
from ae_lightning.tracking.mlflow_write import MLflowWrite, Target
from ae_lightning.tracking.mlflow_writes import Metrics, merged
from ae_lightning.tracking.spool import Spool, SpoolInUseError, sync_command
from ae_lightning.tracking.store import impatient

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

SECONDS_BETWEEN_PROBES = 5.0


class Writer:
    """Hands writes to MLflow from a thread of its own, in order, many metrics to a request.

    A store that fails once is taken for away: all that waits goes to the spool, and only the spool's delivery asks the
    store again, every few seconds, until it answers.

    Args:
        client: Of the store.
        spool: Where writes wait while the store is away.
        interval: Seconds between two requests.
    """

    def __init__(self, client: MlflowClient, spool: Spool, interval: float = 1.0) -> None:
        self._client = client
        self._spool = spool
        self._interval = interval
        self._waiting: list[MLflowWrite] = []
        self._lock = threading.Lock()
        self._is_taken = threading.Condition(self._lock)
        self._putting_away = threading.Lock()
        self._wake = threading.Event()
        self._is_stopped = False
        self._next_probe = 0.0
        # What waits from before was warned of before.
        self._has_warned = not spool.is_empty
        self._disk_takes = True
        self._patience = ExitStack()
        self._patience.enter_context(impatient())
        self._thread = threading.Thread(target=self._run, name="mlflow-writer", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def submit(self, write: MLflowWrite) -> None:
        """Take a write and return at once."""
        with self._lock:
            self._waiting.append(write)

    def flush(self, patience: float = 5.0) -> None:
        """Wait until what was submitted is in the store or on disk.

        Args:
            patience: Seconds that the store has; what it has not taken by then is put on disk.
        """
        if not self._spool.is_empty:
            self._put_away()
            return
        self._wake.set()
        with self._lock:
            is_done = self._is_taken.wait_for(lambda: not self._waiting, patience)
        if not is_done:
            self._put_away()

    def close(self) -> None:
        """Deliver what waits or put it on disk, and end the thread; warn of what neither takes."""
        atexit.unregister(self.close)
        self._is_stopped = True
        self._wake.set()
        self._thread.join()
        self._next_probe = 0.0
        self._work()
        if not self._spool.is_empty and self._next_probe == 0.0:
            self._work()
        self._patience.close()
        if self._waiting:
            rank_zero_warn(
                f"the last {len(self._waiting)} records of run {self._spool.origin.run_id} are lost: neither MLflow "
                f"nor {self._spool.folder} takes them; their files stay there"
            )
        self._spool.close(keeps_files=bool(self._waiting))

    def _run(self) -> None:
        while not self._is_stopped:
            self._wake.wait(self._interval)
            self._wake.clear()
            self._work()

    def _work(self) -> None:
        try:
            self._send_or_catch_up()
        except Exception as error:
            # Whatever it is, the training goes on, and what comes after it is still to be delivered.
            rank_zero_warn(f"delivering to MLflow failed, and is tried again: {type(error).__name__}: {error}")
            with suppress(Exception):
                self._put_away()

    def _send_or_catch_up(self) -> None:
        if self._spool.is_empty:
            self._send()
        else:
            self._put_away()
            self._catch_up()

    def _send(self) -> None:
        target = Target(self._client, self._spool.origin.run_id, self._spool.files)
        while batch := self._next_batch():
            try:
                for write in merged(batch):
                    deliver(target, write)
            except StoreAwayError as error:
                self._put_away()
                self._warn(error)
                return
            # What is on disk by now is delivered once more from there, and needs its files.
            for write in self._remove(batch):
                self._spool.forget(write)

    def _next_batch(self) -> Sequence[MLflowWrite]:
        """Return the first write that waits, or all metrics that come before anything else.

        Nothing goes before what a flush that lost its patience has put on disk.
        """
        with self._putting_away, self._lock:
            if not self._spool.is_empty:
                return []
            for number, write in enumerate(self._waiting):
                if not isinstance(write, Metrics):
                    return self._waiting[: max(1, number)]
            return list(self._waiting)

    def _remove(self, batch: Sequence[MLflowWrite]) -> Sequence[MLflowWrite]:
        """Let writes wait no longer, and return those that still did: they may have been put on disk meanwhile."""
        with self._lock:
            did_wait = bool(self._waiting) and self._waiting[0] is batch[0]
            if did_wait:
                del self._waiting[: len(batch)]
            self._is_taken.notify_all()
        return batch if did_wait else ()

    def _put_away(self) -> None:
        """Move what waits to the spool; what the disk does not take goes on waiting."""
        with self._putting_away:
            with self._lock:
                batch = list(self._waiting)
            if not batch:
                return
            try:
                self._spool.append(batch)
            except (OSError, SpoolInUseError) as error:
                self._disk_takes = False
                rank_zero_warn(f"{self._spool.folder} cannot be written, {len(batch)} records wait in memory: {error}")
                return
            self._disk_takes = True
            self._remove(batch)

    def _catch_up(self) -> None:
        """Deliver the spool if the store is back."""
        if time.monotonic() < self._next_probe:
            return
        try:
            require_run(self._client, self._spool.origin.run_id)
            num_delivered = self._spool.deliver_all(self._client)
        except (StoreAwayError, OSError) as error:
            self._next_probe = time.monotonic() + SECONDS_BETWEEN_PROBES
            self._warn(error)
            return
        self._has_warned = False
        uri = shown_uri(self._spool.origin.tracking_uri)
        rank_zero_info(f"MLflow at {uri!r} is back, and has {num_delivered} records that waited")

    def _warn(self, error: StoreAwayError | OSError) -> None:
        """Say once per outage where everything goes; that the disk does not take it is said already."""
        if self._has_warned or not self._disk_takes:
            return
        self._has_warned = True
        folder, uri = self._spool.folder, shown_uri(self._spool.origin.tracking_uri)
        rank_zero_warn(
            f"MLflow at {uri!r} takes nothing ({error}): what it would get waits in {folder} "
            f"until it does; after the end, `{sync_command(folder.parent)}` delivers it"
        )
