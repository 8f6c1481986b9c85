"""The machine's load while a run is open."""

from __future__ import annotations

from ae_lightning.tracking.addresses import absolute_uri

MYPY = False
"""True for mypy alone. jsonargparse runs every block under `TYPE_CHECKING`, which would import mlflow for `--help`."""

if MYPY:
    from ae_lightning.tracking.system_metrics import Log, SystemMonitor


class LoadMonitor:
    """Samples processor, memory, disk, network and GPU every few seconds, where that is wanted.

    Args:
        is_wanted: Whether it is.
        next_step: Where the samples go on.
    """

    def __init__(self, *, is_wanted: bool, next_step: int = 0) -> None:
        self._is_wanted = is_wanted
        self._next_step = next_step
        self._monitor: SystemMonitor | None = None

    def start(self, run_id: str, tracking_uri: str, log: Log) -> None:
        """Begin, or go on behind the last sample.

        Args:
            run_id: The run.
            tracking_uri: Its store.
            log: Takes values by name, and their step.
        """
        if not self._is_wanted:
            return
        from ae_lightning.tracking.system_metrics import SystemMonitor

        self._monitor = SystemMonitor(run_id, absolute_uri(tracking_uri), log, self._next_step)
        self._monitor.start()  # type: ignore[no-untyped-call]

    def stop(self) -> None:
        """End, if it has begun."""
        if self._monitor is not None:
            self._monitor.finish()  # type: ignore[no-untyped-call]
            self._next_step = self._monitor.next_step
            self._monitor = None
