"""Asking a store before a run is under way, and again where something between answers, such as a broken replica."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from lightning_utilities.core.rank_zero import rank_zero_warn

from ae_lightning.tracking import delivery
from ae_lightning.tracking.addresses import shown_uri
from ae_lightning.tracking.answers import is_of_something_between, reason_of

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

P = ParamSpec("P")
T = TypeVar("T")


def asked(tracking_uri: str, ask: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
    """Ask a store, again where something between answers in its place, as often as a delivery is tried.

    Args:
        tracking_uri: The store.
        ask: What to call; to call it again changes nothing.
        *arguments: Its arguments.
        **options: Its options.

    Raises:
        Exception: Whatever the last attempt raises, or one before it that another would not mend.
    """
    for _ in range(delivery.ATTEMPTS - 1):
        try:
            return ask(*arguments, **options)
        except Exception as error:
            if not is_of_something_between(error):
                raise
            rank_zero_warn(f"MLflow at {shown_uri(tracking_uri)!r} is asked again: {reason_of(error)}")
        time.sleep(delivery.SECONDS_BETWEEN_ATTEMPTS)
    return ask(*arguments, **options)


def asking(client: MlflowClient, tracking_uri: str) -> MlflowClient:
    """Return a client whose every call is `asked`.

    Args:
        client: Of the store.
        tracking_uri: The store.
    """
    return cast("MlflowClient", _Asking(client, tracking_uri))


class _Asking:
    def __init__(self, client: MlflowClient, tracking_uri: str) -> None:
        self._client = client
        self._tracking_uri = tracking_uri

    def __getattr__(self, name: str) -> Any:
        return partial(asked, self._tracking_uri, getattr(self._client, name))

    def create_run(self, experiment_id: str, **options: Any) -> Run:
        """Create a run, or find the one that an attempt before has created, if only its answer was lost."""
        begun, attempts = int(time.time() * 1000), count()

        def create() -> Run:
            if next(attempts):
                for run in self._client.search_runs([experiment_id], f"attributes.start_time = {begun}"):
                    if options.get("run_name") in (None, run.info.run_name):
                        return run
            return self._client.create_run(experiment_id, start_time=begun, **options)

        return asked(self._tracking_uri, create)
