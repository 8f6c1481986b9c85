"""What processes that have ended left on disk for MLflow: found, and delivered."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lightning_utilities.core.rank_zero import rank_zero_warn

from ae_lightning.errors import TrackingError
from ae_lightning.tracking.delivery import RunGoneError, StoreAwayError, require_run
from ae_lightning.tracking.spool import ORIGIN_FILE, Origin, Spool, SpoolInUseError, held
from ae_lightning.tracking.store import absolute_uri, connect, impatient, shown_uri

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient


def find_spools(root: Path, run_id: str | None = None) -> list[Spool]:
    """Return the spools in a folder, the oldest first.

    Args:
        root: The folder of all spools.
        run_id: Those of this run alone.
    """
    found = root.resolve().glob(f"{run_id or '*'}.*/{ORIGIN_FILE}")
    by_age = sorted(found, key=lambda path: path.parent.name.split(".")[1:])
    return [spool for path in by_age if (spool := _found_at(path)) is not None]


def _found_at(path: Path) -> Spool | None:
    """Return the spool of an origin; None where its process has just removed it, or it cannot be read."""
    try:
        return Spool(path.parent, Origin(**json.loads(path.read_text(encoding="utf-8"))))
    except FileNotFoundError:
        return None
    except (OSError, TypeError, ValueError) as error:
        rank_zero_warn(f"{path} cannot be read, so what waits beside it is not delivered: {error}")
        return None


def deliver_left_behind(root: Path, tracking_uri: str, patience: float = 0.0) -> None:
    """Deliver what processes that have ended left for runs of a store.

    Args:
        root: The folder of all spools.
        tracking_uri: The store.
        patience: Seconds to wait, spool by spool, for a process that delivers it already.

    Raises:
        TrackingError: If the store does not answer.
    """
    spools = [spool for spool in find_spools(root) if spool.origin.tracking_uri == absolute_uri(tracking_uri)]
    client = connect(tracking_uri) if spools else None
    for spool in spools:
        assert client is not None
        try:
            with suppress(SpoolInUseError, RunGoneError), held(spool, patience), impatient():
                require_run(client, spool.origin.run_id)
                spool.deliver_all(client)
        except StoreAwayError as error:
            raise TrackingError(f"MLflow at {shown_uri(tracking_uri)!r}: {error}") from error


def deliver_left_of_run(root: Path, run_id: str, client: MlflowClient) -> None:
    """Deliver what waits for a run that is gone on with.

    Args:
        root: The folder of all spools.
        run_id: The run.
        client: Of its store.

    Raises:
        TrackingError: If another process writes or delivers it.
        StoreAwayError: If the store does not take it.
    """
    for spool in find_spools(root, run_id):
        try:
            with held(spool):
                spool.deliver_all(client)
        except SpoolInUseError as error:
            raise TrackingError(
                f"run {run_id}: another process trains it or delivers what waits in {spool.folder}"
            ) from error
