"""Under which conditions was measured."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from ae_lightning.machine.precision import choose_precision
from ae_lightning.machine.speedups import keep_freed_memory

PACKAGES = ("torch", "lightning", "mlflow")


def read_conditions(threads: int) -> dict[str, Any]:
    """Return what the figures depend on beside the code.

    Args:
        threads: Of each contender.
    """
    return {
        "began_at": datetime.now(UTC).isoformat(timespec="minutes"),
        "processor": _processor(),
        "processors": os.cpu_count(),
        "threads": threads,
        "load_before": load(),
        "precision_of_fit": choose_precision("cpu"),
        "capabilities": sorted(name for name, has in torch.cpu.get_capabilities().items() if has is True),
        "system": platform.platform(),
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


def begin(threads: int) -> dict[str, Any]:
    """Let this process compute as `fit` does, on so many threads, and return the conditions."""
    torch.set_num_threads(threads)
    keep_freed_memory()
    return read_conditions(threads)


def load() -> float:
    """Return how many programs have wanted a processor, on average over the last minute."""
    return round(os.getloadavg()[0], 2)


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
