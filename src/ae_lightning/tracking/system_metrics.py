"""The machine's load, which waits with everything else while the store is away."""

from __future__ import annotations

from collections.abc import Callable

from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor
from mlflow.utils.autologging_utils import BatchMetricsLogger

SECONDS_BETWEEN_SAMPLES = 5

Log = Callable[[dict[str, float], int | None], None]


class SystemMonitor(SystemMetricsMonitor):
    """MLflow's monitor without its own requests: they would end it as soon as the store is away.

    Args:
        run_id: The run.
        tracking_uri: Its store.
        log: Takes values by name, and their step.
        first_step: Where to go on.
    """

    def __init__(self, run_id: str, tracking_uri: str, log: Log, first_step: int) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            run_id, sampling_interval=SECONDS_BETWEEN_SAMPLES, tracking_uri=tracking_uri
        )
        self.mlflow_logger = _Handover(run_id, tracking_uri, log)
        self._logging_step = first_step

    @property
    def next_step(self) -> int:
        """Step of the next sample."""
        return int(self._logging_step)

    def monitor(self) -> None:
        """Sample until the end."""
        while True:
            for _ in range(self.samples_before_logging):
                self.collect_metrics()  # type: ignore[no-untyped-call]
                if self._shutdown_event.wait(self.sampling_interval):
                    return
            self.publish_metrics(self.aggregate_metrics())  # type: ignore[no-untyped-call]


class _Handover(BatchMetricsLogger):
    """Hands samples over, where MLflow's own would send them."""

    def __init__(self, run_id: str, tracking_uri: str, log: Log) -> None:
        super().__init__(run_id, tracking_uri)  # type: ignore[no-untyped-call]
        self._log = log

    def record_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Hand values over."""
        self._log(metrics, step)
