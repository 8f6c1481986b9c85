"""Delivering operations, and telling a store that is away from one that refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lightning_utilities.core.rank_zero import rank_zero_warn

from ae_lightning.tracking.operations import Operation, Target

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

_REFUSALS = ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS", "INVALID_STATE")
_HTTP_REFUSALS = (400, 413)


class StoreAwayError(Exception):
    """The store takes nothing now; it may later."""


class RunGoneError(StoreAwayError):
    """The store answers, but the run is deleted or was never there."""


def deliver(target: Target, operation: Operation) -> None:
    """Deliver an operation; warn of one that a store that has the run will never take, and leave it out.

    Raises:
        StoreAwayError: If the store takes nothing now: no answer, a locked or full disk, an expired password.
        RunGoneError: If it does not have the run.
    """
    try:
        operation.deliver(target)
    except Exception as error:
        # Stores raise errors of many libraries; what is no refusal may pass.
        if not _is_refusal(error):
            raise StoreAwayError(reason_of(error)) from error
        require_run(target.client, target.run_id)
        rank_zero_warn(f"MLflow refuses {operation}, which is left out: {reason_of(error)}")


def require_run(client: MlflowClient, run_id: str) -> None:
    """Make sure that the store answers and has the run.

    Raises:
        StoreAwayError: If it does not answer.
        RunGoneError: If it does not have the run.
    """
    try:
        run = client.get_run(run_id)
    except Exception as error:
        if _is_refusal(error):
            raise RunGoneError(f"it has no run {run_id}") from error
        raise StoreAwayError(reason_of(error)) from error
    if run.info.lifecycle_stage != "active":
        raise RunGoneError(f"run {run_id} is deleted there")


def _is_refusal(error: Exception) -> bool:
    from mlflow.exceptions import MlflowException
    from requests import HTTPError

    if isinstance(error, MlflowException):
        return error.error_code in _REFUSALS
    return isinstance(error, HTTPError) and error.response is not None and error.response.status_code in _HTTP_REFUSALS


def reason_of(error: BaseException) -> str:
    """Say in a line why a store did not take something; MLflow's own, on a lost connection, fills a screen."""
    from requests import ConnectionError as NoConnectionError

    if "timed out" in str(error):
        return "no answer in time"
    if isinstance(error.__context__, NoConnectionError):
        return "no connection"
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
