"""Writes delivered while training goes on, and put on disk while the store is away."""

from __future__ import annotations

import atexit
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from itertools import takewhile
from typing import TYPE_CHECKING

from lightning_utilities.core.rank_zero import rank_zero_warn

from ae_lightning.tracking.addresses import shown_uri
from ae_lightning.tracking.delivery import NotDeliveredError, deliver, require_run
from ae_lightning.tracking.mlflow_writes import Target, Write, merged
from ae_lightning.tracking.spool import Spool, SpoolInUseError, sync_command
from ae_lightning.tracking.store import impatient

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

SECONDS_BETWEEN_REQUESTS = 1.0
SECONDS_BETWEEN_PROBES = 5.0


class Writer:
    """Hands writes to MLflow from a thread of its own, in order, many metrics to a request.

    A store that fails once is taken for away: all that waits goes to the spool, and only the spool's delivery asks the
    store again, every few seconds, until it answers.

    Args:
        client: Of the store.
        spool: Where writes wait while the store is away.
    """

    def __init__(self, client: MlflowClient, spool: Spool) -> None:
        self._target = Target(client, spool.origin.run_id, spool.files)
        self._spool = spool
        # Training appends without the lock, which is held while the disk writes.
        self._waiting: list[Write] = []
        self._changed = threading.Condition()
        self._wake = threading.Event()
        self._is_stopped = False
        self._next_probe = 0.0
        # What waits from before was warned of before.
        self._has_warned = not spool.is_empty
        self._patience = ExitStack()
        self._patience.enter_context(impatient())
        self._thread = threading.Thread(target=self._run, name="mlflow-writer", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def submit(self, write: Write) -> None:
        """Take a write and return at once."""
        self._waiting.append(write)

    def flush(self, patience: float = 5.0) -> None:
        """Wait until what was submitted is in the store or on disk.

        Args:
            patience: Seconds that the store has; what it has not taken by then is put on disk.
        """
        with self._changed:
            if self._spool.is_empty:
                self._wake.set()
                self._changed.wait_for(lambda: not self._waiting, patience)
            self._put_away()

    def close(self) -> None:
        """Deliver what waits or put it on disk, and end the thread; warn of what neither takes."""
        atexit.unregister(self.close)
        self._is_stopped = True
        self._wake.set()
        self._thread.join()
        self._next_probe = 0.0
        self._work()
        if self._next_probe == 0.0 and not self._spool.is_empty:
            # What a request failed at is on disk by now, and is tried once more from there.
            self._work()
        self._patience.close()
        if self._waiting:
            rank_zero_warn(
                f"the last {len(self._waiting)} records of run {self._target.run_id} are lost: neither MLflow "
                f"nor {self._spool.folder} takes them; their files stay there"
            )
        self._spool.close(keeps_files=bool(self._waiting))

    def _run(self) -> None:
        while not self._is_stopped:
            self._wake.wait(SECONDS_BETWEEN_REQUESTS)
            self._wake.clear()
            self._work()

    def _work(self) -> None:
        try:
            if self._spool.is_empty:
                self._send()
            else:
                self._put_away()
                self._catch_up()
        except Exception as error:
            # Whatever it is, the training goes on, and what comes after it is still to be delivered.
            rank_zero_warn(f"delivering to MLflow failed, and is tried again: {type(error).__name__}: {error}")
            with suppress(Exception):
                self._put_away()

    def _send(self) -> None:
        while batch := self._next_batch():
            try:
                for write in merged(batch):
                    deliver(self._target, write)
            except NotDeliveredError as error:
                if self._put_away():
                    self._warn(error)
                return
            with self._changed:
                # What a flush has put on disk meanwhile is delivered once more from there, and needs its files.
                if self._waiting and self._waiting[0] is batch[0]:
                    del self._waiting[: len(batch)]
                    for write in batch:
                        self._spool.forget(write)
                self._changed.notify_all()

    def _next_batch(self) -> Sequence[Write]:
        """Return the first write that waits, or all metrics that come before anything else.

        Nothing goes before what a flush that lost its patience has put on disk.
        """
        with self._changed:
            waiting = list(self._waiting) if self._spool.is_empty else []
        return list(takewhile(lambda write: write.kind == "metrics", waiting)) or waiting[:1]

    def _put_away(self) -> bool:
        """Move what waits to the spool, and return whether the disk takes it; what it does not goes on waiting."""
        with self._changed:
            batch = list(self._waiting)
            try:
                if batch:
                    self._spool.append(batch)
            except (OSError, SpoolInUseError) as error:
                rank_zero_warn(f"{self._spool.folder} cannot be written, {len(batch)} records wait in memory: {error}")
                return False
            del self._waiting[: len(batch)]
            self._changed.notify_all()
        return True

    def _catch_up(self) -> None:
        """Deliver the spool if the store is back."""
        if time.monotonic() < self._next_probe:
            return
        try:
            require_run(self._target.client, self._target.run_id)
            num_delivered = sum(self._spool.deliver(self._target.client))
        except (NotDeliveredError, OSError) as error:
            self._next_probe = time.monotonic() + SECONDS_BETWEEN_PROBES
            self._warn(error)
            return
        self._has_warned = False
        uri = shown_uri(self._spool.origin.tracking_uri)
        # Only the first rank has a writer. A logger of this level is heard by nobody.
        sys.stderr.write(f"MLflow at {uri!r} is back, and has {num_delivered} records that waited\n")

    def _warn(self, error: NotDeliveredError | OSError) -> None:
        """Say once per outage where everything goes."""
        if self._has_warned:
            return
        self._has_warned = True
        folder, uri = self._spool.folder, shown_uri(self._spool.origin.tracking_uri)
        rank_zero_warn(
            f"MLflow at {uri!r} takes nothing ({error}): what it would get waits in {folder} "
            f"until it does; after the end, `{sync_command(folder.parent)}` delivers it"
        )
