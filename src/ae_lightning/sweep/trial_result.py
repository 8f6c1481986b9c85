"""How a training in processes of its own ended, in a file beside the order for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lightning.pytorch.utilities.exceptions import SIGTERMException
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError

from ae_lightning.errors import TrackingError
from ae_lightning.sweep.failures import Failure, KnownFailureError, failure_of
from ae_lightning.sweep.watching import TrialInterrupted, TrialPruned

ENDS = (TrialPruned, TrialInterrupted, TrackingError, StorageInternalError, UpdateFinishedTrialError)
"""Ends that are no failure of the training's own: they go on as what they are where it was ordered."""


def result_of(training: Callable[[], dict[str, float]]) -> dict[str, Any]:
    """Train, and return how that ended as JSON takes it."""
    try:
        return {"metrics": training()}
    except ENDS as end:
        return {next(kind.__name__ for kind in ENDS if isinstance(end, kind)): str(end)}
    except SIGTERMException:
        return {TrialInterrupted.__name__: "terminated"}
    except Exception as error:
        return {"failed": asdict(failure_of(error))}


def write_result(order: Path, result: dict[str, Any]) -> None:
    """Write a result, whole or not at all: this process may be killed any moment."""
    unfinished = order.with_name("unfinished.json")
    unfinished.write_text(json.dumps(result))
    unfinished.replace(_place_of(order))


def has_result(order: Path) -> bool:
    """Whether the training has said how it ended."""
    return _place_of(order).is_file()


def read_result(order: Path, code: int) -> dict[str, float]:
    """Return the metrics of a training, or raise what it raised.

    Args:
        order: The file of the order.
        code: The exit code of its process.

    Raises:
        TrialEnded: If the trial was pruned or interrupted.
        TrackingError: If MLflow could not be used.
        StorageInternalError: If Optuna's storage did not answer.
        UpdateFinishedTrialError: If the trial was taken for lost.
        KnownFailureError: If the training failed.
    """
    if not has_result(order):
        reason = f"its processes ended with code {code}"
        raise KnownFailureError(Failure(reason, reason))
    result = json.loads(_place_of(order).read_text())
    for end in ENDS:
        if end.__name__ in result:
            raise end(result[end.__name__])
    if "failed" in result:
        raise KnownFailureError(Failure(**result["failed"]))
    return {name: float(value) for name, value in result["metrics"].items()}


def _place_of(order: Path) -> Path:
    return order.with_name("outcome.json")
