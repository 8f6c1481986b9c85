"""The machine's load while a run is open.

MLflow's parts measure it. Its `SystemMetricsMonitor` would also send it, and end as soon as the store is away.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

SECONDS_BETWEEN_SAMPLES = 5

Log = Callable[[dict[str, float], int | None], None]


class LoadMonitor:
    """Samples processor, memory, disk, network and GPU every few seconds, where that is wanted.

    MLflow's variables are obeyed: `MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING=false` turns it off, and
    `MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL` (seconds), `_SAMPLES_BEFORE_LOGGING` (a mean of so many) and `_NODE_ID` (a
    part of the names) say how.

    Args:
        is_wanted: Whether it is.
        next_step: Where the samples go on.
    """

    def __init__(self, *, is_wanted: bool, next_step: int = 0) -> None:
        self._is_wanted = is_wanted
        self._next_step = next_step
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, log: Log) -> None:
        """Begin, or go on behind the last sample.

        Args:
            log: Takes values by name, and their step.
        """
        if not self._is_wanted or _is_turned_off():
            return
        # On this thread: what two import at once may find each other's modules half done.
        sources = _sources()
        self._ended.clear()
        self._thread = threading.Thread(target=self._sample, args=(sources, log), daemon=True, name="LoadMonitor")
        self._thread.start()

    def stop(self) -> None:
        """End, if it has begun."""
        if self._thread is not None:
            self._ended.set()
            self._thread.join()
            self._thread = None

    def _sample(self, sources: list[Any], log: Log) -> None:
        from mlflow import environment_variables

        variables: Any = environment_variables  # whose methods have no types
        seconds = variables.MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL.get() or SECONDS_BETWEEN_SAMPLES
        num_samples = variables.MLFLOW_SYSTEM_METRICS_SAMPLES_BEFORE_LOGGING.get() or 1
        node = variables.MLFLOW_SYSTEM_METRICS_NODE_ID.get()
        prefix = f"system/{node}/" if node else "system/"
        while True:
            for _ in range(num_samples):
                for source in sources:
                    source.collect_metrics()
                if self._ended.wait(seconds):
                    return
            values = {name: value for source in sources for name, value in source.aggregate_metrics().items()}
            log({f"{prefix}{name}": value for name, value in values.items()}, self._next_step)
            self._next_step += 1
            for source in sources:
                source.clear_metrics()


def _is_turned_off() -> bool:
    from mlflow import environment_variables

    variable: Any = environment_variables.MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING
    return bool(variable.is_set() and not variable.get())


def _sources() -> list[Any]:
    """Return what measures the machine: MLflow's parts that find what they measure."""
    from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
    from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
    from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor
    from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor
    from mlflow.system_metrics.metrics.rocm_monitor import ROCMMonitor

    always: tuple[Any, ...] = (CPUMonitor, DiskMonitor, NetworkMonitor)
    sources = [kind() for kind in always]
    for kind in (GPUMonitor, ROCMMonitor):
        try:
            return [*sources, kind()]
        except Exception:  # whatever a library that is not there, or finds no device, raises
            continue
    return sources
