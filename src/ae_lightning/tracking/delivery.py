"""Delivering writes, and telling a store that is away from one that refuses."""

from __future__ import annotations

import errno
import time
from typing import TYPE_CHECKING

from lightning_utilities.core.rank_zero import rank_zero_warn

from ae_lightning.tracking.answers import is_missing, own_code, reason_of

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

    from ae_lightning.tracking.mlflow_writes import Target, Write

ATTEMPTS = 3
SECONDS_BETWEEN_ATTEMPTS = 2.0

_REFUSALS = (
    *("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS", "INVALID_STATE"),
    *("BAD_REQUEST", "ENDPOINT_NOT_FOUND", "FEATURE_DISABLED"),
)
_PASSING = ("TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED")
_HTTP_PASSING = (429, 502, 503, 504)
_PROBE_TAG = "ae_lightning.probe"


class NotDeliveredError(Exception):
    """What is to be delivered stays where it is, for the reason that it says."""


class StoreAwayError(NotDeliveredError):
    """The store takes nothing now; it may later."""


class RunGoneError(NotDeliveredError):
    """The store answers, but the run is deleted or was never there."""


class UndeliverableError(Exception):
    """The store takes other things, but not this one."""


def deliver(target: Target, write: Write) -> None:
    """Deliver a write; warn of one that MLflow itself refuses, though it has the run, and leave it out.

    Raises:
        StoreAwayError: If the store takes nothing now: no answer, a locked or full disk, an expired password.
        RunGoneError: If it does not have the run.
    """
    try:
        write.deliver(target)
    except Exception as error:
        # Stores raise errors of many libraries; what is no refusal of MLflow's own may pass.
        if own_code(error) not in _REFUSALS:
            raise StoreAwayError(reason_of(error)) from error
        require_run(target.client, target.run_id)
        parts = write.parts()
        if len(parts) == 1:
            rank_zero_warn(f"MLflow refuses {write}, which is left out: {reason_of(error)}")
            return
        for part in parts:
            deliver(target, part)


def deliver_or_give_up(target: Target, write: Write) -> None:
    """Deliver a write; try again where the store fails at it and yet takes something else.

    Raises:
        StoreAwayError: If the store takes nothing now.
        RunGoneError: If it does not have the run.
        UndeliverableError: If it fails at this write alone, every time.
    """
    reason = ""
    for attempt in range(ATTEMPTS):
        time.sleep(SECONDS_BETWEEN_ATTEMPTS if attempt else 0)
        try:
            return deliver(target, write)
        except StoreAwayError as error:
            if _may_pass(error.__cause__):
                raise
            reason = str(error)
        _require_writable(target.client, target.run_id)
    raise UndeliverableError(reason)


def _require_writable(client: MlflowClient, run_id: str) -> None:
    """Make sure that the store takes something: one whose disk is full or locked may still answer.

    Raises:
        StoreAwayError: If it does not.
    """
    require_run(client, run_id)
    try:
        client.set_tag(run_id, _PROBE_TAG, "")
        client.delete_tag(run_id, _PROBE_TAG)
    except Exception as error:
        raise StoreAwayError(reason_of(error)) from error


def require_run(client: MlflowClient, run_id: str) -> None:
    """Make sure that the store answers and has the run.

    Raises:
        StoreAwayError: If it does not answer.
        RunGoneError: If it does not have the run.
    """
    try:
        run = client.get_run(run_id)
    except Exception as error:
        if is_missing(error):
            raise RunGoneError(f"it has no run {run_id}") from error
        raise StoreAwayError(reason_of(error)) from error
    if run.info.lifecycle_stage != "active":
        raise RunGoneError(f"run {run_id} is deleted there")


def _may_pass(error: BaseException | None) -> bool:
    """Whether an error says itself that it will not last."""
    from mlflow.exceptions import MlflowException
    from requests import HTTPError

    if isinstance(error, MlflowException):
        return error.error_code in _PASSING
    if isinstance(error, HTTPError):
        return error.response is not None and error.response.status_code in _HTTP_PASSING
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
