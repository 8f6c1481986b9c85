"""Metrics, written while training goes on."""

from __future__ import annotations

import atexit
import threading
from typing import TYPE_CHECKING

from lightning_utilities.core.rank_zero import rank_zero_warn

if TYPE_CHECKING:
    from mlflow.entities import Metric
    from mlflow.tracking import MlflowClient

MAX_METRICS_PER_BATCH = 1000


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
        self._wake = threading.Event()
        self._sent = threading.Condition(self._lock)
        self._is_stopped = False
        self._last_failed = False
        self._thread = threading.Thread(target=self._run, name="metric-writer", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def submit(self, metrics: list[Metric]) -> None:
        """Take metrics and return at once."""
        with self._lock:
            self._waiting.extend(metrics)

    def flush(self, patience: float = 5.0) -> None:
        """Wait until what was submitted is sent, but not for a store that did not take the last batch.

        Args:
            patience: Seconds to wait at most.
        """
        self._wake.set()
        with self._sent:
            self._sent.wait_for(lambda: not self._waiting or self._last_failed, patience)

    def close(self) -> int:
        """Send what waits, end the thread, and return how many metrics could not be sent."""
        atexit.unregister(self.close)
        self._is_stopped = True
        self._wake.set()
        self._thread.join()
        self._send()
        return len(self._waiting)

    def _run(self) -> None:
        while not self._is_stopped:
            self._wake.wait(self._interval)
            self._wake.clear()
            self._send()

    def _send(self) -> None:
        """Send all that waits; what the store does not take stays, in order, for the next try."""
        with self._sending:
            while batch := self._waiting[:MAX_METRICS_PER_BATCH]:
                try:
                    self._client.log_batch(self._run_id, metrics=batch)
                except Exception as error:
                    rank_zero_warn(f"MLflow did not take {len(batch)} metrics, kept for the next try: {error}")
                    self._note(num_sent=0)
                    return
                self._note(len(batch))

    def _note(self, num_sent: int) -> None:
        with self._sent:
            self._last_failed = num_sent == 0
            del self._waiting[:num_sent]
            self._sent.notify_all()
