"""What an error of a store says, and whether it is MLflow that says it."""

from __future__ import annotations

import traceback
from types import FrameType
from typing import TYPE_CHECKING

from ae_lightning.errors import first_line
from ae_lightning.tracking.addresses import shown_uri

if TYPE_CHECKING:
    from mlflow.exceptions import MlflowException
    from requests import Response

MAX_REASON = 1000
"""MLflow's own messages, the remedies at their end included, are shorter."""

_CLIENT, _READS_ANSWERS = "mlflow.utils.rest_utils", "verify_rest_response"
"""Where MLflow's client turns what becomes of a request into one of MLflow's codes, and its part that reads answers."""

_NOT_ADMITTED, _HTTP_NOT_ADMITTED = ("UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED", "PERMISSION_DENIED"), (401, 403)


def own_code(error: BaseException) -> str:
    """Return the code that MLflow itself gave an error; empty where it was something between that answered.

    A server of MLflow puts the code into the JSON of its answer, as no proxy does; a database, and what MLflow's client
    refuses to send, come by no proxy.
    """
    from mlflow.exceptions import MlflowException, RestException
    from requests import HTTPError

    if isinstance(error, RestException):
        return _code_in(error.json)
    if isinstance(error, HTTPError):
        return _code_of(error.response)
    if isinstance(error, MlflowException) and not _is_of_a_proxy(error):
        return str(error.error_code)
    return ""


def is_missing(error: BaseException) -> bool:
    """Whether MLflow says that what was asked for does not exist."""
    return own_code(error) in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")


def is_of_something_between(error: BaseException) -> bool:
    """Whether something between answered in a store's place, and the next answer may be the store's own.

    Who is to say who he is, or may not enter, is told the same the next time.
    """
    from mlflow.exceptions import MlflowException, RestException
    from requests import HTTPError
    from requests.exceptions import RetryError

    if own_code(error) or is_away(error):
        return False
    if isinstance(error, HTTPError):
        return error.response is not None and error.response.status_code not in _HTTP_NOT_ADMITTED
    if not isinstance(error, MlflowException) or error.error_code in _NOT_ADMITTED:
        return False
    # Where the client itself would try again, it says so in words of its own.
    return isinstance(error, RestException) or isinstance(error.__context__, RetryError) or _reads_an_answer(error)


def knows_no_such_request(error: MlflowException) -> bool:
    """Whether a server says, or seems to say, that it does not know what it was asked to do: it may be an older one.

    Flask, which MLflow's servers are built on, answers that with a page, as something between would.
    """
    # The client takes a page with the status 404 for this code of MLflow's own.
    return own_code(error) in ("", "ENDPOINT_NOT_FOUND") and error.error_code == "ENDPOINT_NOT_FOUND"


def is_of_mlflows_client(error: BaseException) -> bool:
    """Whether an error comes out of a call of MLflow's, whatever library raised it there, and not of our own code."""
    modules = [str(frame.f_globals.get("__name__")) for frame, _ in traceback.walk_tb(error.__traceback__)]
    own = max((at for at, module in enumerate(modules) if module.partition(".")[0] == "ae_lightning"), default=-1)
    return any(module.partition(".")[0] == "mlflow" for module in modules[own + 1 : own + 2])


def _is_of_a_proxy(error: MlflowException) -> bool:
    frame = _innermost(error)
    return frame is not None and frame.f_globals.get("__name__") == _CLIENT


def _reads_an_answer(error: MlflowException) -> bool:
    frame = _innermost(error)
    return frame is not None and frame.f_code.co_name == _READS_ANSWERS


def _innermost(error: BaseException) -> FrameType | None:
    return next((frame for frame, _ in reversed(list(traceback.walk_tb(error.__traceback__)))), None)


def _code_of(response: Response | None) -> str:
    try:
        return "" if response is None else _code_in(response.json())
    except ValueError:
        return ""


def _code_in(answer: object) -> str:
    code = answer.get("error_code") if isinstance(answer, dict) else None
    return code if isinstance(code, str) else ""


def reason_of(error: BaseException) -> str:
    """Say in a line why a store did not take something; MLflow's own, on a lost connection, fills a screen."""
    if _came_too_late(error):
        return "no answer in time"
    if _found_nobody(error):
        return "no connection"
    # What a proxy wrote is a page, not a reason.
    line, _, _ = first_line(error, MAX_REASON).partition(". Response body: ")
    return shown_uri(line)


def is_away(error: BaseException) -> bool:
    """Whether nobody answered."""
    return _came_too_late(error) or _found_nobody(error)


def _came_too_late(error: BaseException) -> bool:
    return "timed out" in str(error)


def _found_nobody(error: BaseException) -> bool:
    from requests import ConnectionError as NoConnectionError

    return isinstance(error.__context__, NoConnectionError)
