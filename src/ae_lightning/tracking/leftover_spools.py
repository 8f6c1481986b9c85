"""What processes that have ended left on disk for MLflow: found, and delivered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lightning_utilities.core.rank_zero import rank_zero_warn
from rich.console import Console

from ae_lightning.data.progress import track_slow
from ae_lightning.errors import ConfigError, TrackingError
from ae_lightning.tracking.addresses import is_same_store, shown_uri, tracking_uri_from_environment
from ae_lightning.tracking.answers import reason_of
from ae_lightning.tracking.delivery import NotDeliveredError, StoreAwayError, require_run
from ae_lightning.tracking.origin import read_origin
from ae_lightning.tracking.spool import ORIGIN_FILE, OtherVersionError, Spool, SpoolInUseError
from ae_lightning.tracking.store import connect, gets_credentials, impatient, sending_files

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient


def find_spools(root: Path, run_id: str = "*") -> list[Spool]:
    """Return the spools in a folder, the oldest first; one that cannot be read is warned of.

    Args:
        root: The folder of all spools.
        run_id: Those of this run alone.
    """
    spools = []
    for path in root.resolve().glob(f"{run_id}.*/{ORIGIN_FILE}"):
        try:
            spools.append(Spool(path.parent, read_origin(path)))
        except FileNotFoundError:
            # Its process has just removed it.
            continue
        except (OSError, TypeError, ValueError) as error:
            rank_zero_warn(f"{path} cannot be read, so what waits beside it is not delivered: {error}")
    return sorted(spools, key=lambda spool: spool.folder.name.split(".")[1:])


def spools_of_store(root: Path, tracking_uri: str) -> list[Spool]:
    """Return the spools in a folder that are for runs of a store, the oldest first."""
    return [spool for spool in find_spools(root) if is_same_store(spool.origin.tracking_uri, tracking_uri)]


def _deliver(spool: Spool, client: MlflowClient) -> int:
    """Deliver a spool that is held, and count what MLflow has taken of it."""
    with impatient():
        require_run(client, spool.origin.run_id)
        records = track_slow(range(spool.num_waiting), f"run {spool.origin.run_id}")
        return sum(is_taken for _, is_taken in zip(records, spool.deliver(client), strict=False))


def deliver_left_behind(root: Path, tracking_uri: str, patience: float = 0.0) -> None:
    """Deliver what processes that have ended left for runs of a store, as far as it has them.

    Args:
        root: The folder of all spools.
        tracking_uri: The store.
        patience: Seconds to wait, spool by spool, for a process that delivers it already.

    Raises:
        TrackingError: If the store does not answer.
    """
    # Where nothing is left but what MLflow took at no attempt, nothing is to be delivered.
    spools = [spool for spool in spools_of_store(root, tracking_uri) if not (spool.is_empty and spool.num_refused)]
    if not spools:
        return
    client = connect(tracking_uri)
    for spool in spools:
        try:
            with closing(spool.hold(patience)):
                _deliver(spool, client)
        except StoreAwayError as error:
            raise TrackingError(f"MLflow at {shown_uri(tracking_uri)!r}: {error}") from error
        except OtherVersionError as error:
            rank_zero_warn(f"run {spool.origin.run_id}: what waits in {spool.folder} is {error}")
        except NotDeliveredError:
            # Its run is gone, or whoever has it delivers it.
            continue


def deliver_left_of_run(root: Path, run_id: str, client: MlflowClient) -> None:
    """Deliver what waits for a run that is gone on with.

    Args:
        root: The folder of all spools.
        run_id: The run.
        client: Of its store.

    Raises:
        TrackingError: If another process writes or delivers it, another version wrote it, or the store
            takes nothing.
    """
    for spool in find_spools(root, run_id):
        try:
            with closing(spool.hold()):
                _deliver(spool, client)
        except NotDeliveredError as error:
            raise TrackingError(f"run {run_id}: what waits in {spool.folder} is not delivered: {error}") from error


def deliver_all(folder: Path, tracking_uri: str | None, tries_refused: bool = False) -> int:
    """Deliver every spool of a folder, and say how each went.

    Args:
        folder: Where they wait.
        tracking_uri: A store in place of the spools' own.
        tries_refused: Whether to try again what MLflow took at no attempt.

    Returns:
        How many spools stay because their run is gone, another version delivers them, nobody named a store that would
        get credentials, or MLflow takes some of it at no attempt.

    Raises:
        ConfigError: If a spool cannot be read or written.
        TrackingError: If a store does not answer.
    """
    say = partial(Console().print, soft_wrap=True, highlight=False, markup=False)
    spools, num_kept = find_spools(folder), 0
    away: dict[str, str] = {}
    faults = []
    for spool in spools:
        uri, run = tracking_uri or spool.origin.tracking_uri, f"run {spool.origin.run_id}"
        if uri in away:
            continue
        try:
            if tracking_uri is None:
                _require_no_credentials(uri)
            with closing(spool.hold()):
                for line in _delivered(spool, uri, tries_refused):
                    say(f"{run}: {line}")
                num_kept += spool.num_refused > 0
        except SpoolInUseError:
            say(f"{run}: a process that still runs has it, and delivers it itself")
        except StoreAwayError as error:
            away[uri] = f"MLflow at {shown_uri(uri)!r} does not answer ({error})"
        except NotDeliveredError as error:
            num_kept += 1
            say(f"{run}: not delivered to {shown_uri(uri)}: {error}; what waits stays in {spool.folder}")
        except OSError as error:
            faults.append(f"{spool.folder}: {error.strerror or error}")
    if faults:
        raise ConfigError(f"sync: {'; '.join(faults)}")
    if away:
        stores = "; ".join(away.values())
        raise TrackingError(f"sync: {stores}; what waits stays in {folder}, so run the same command again")
    if not spools:
        say(f"nothing waits in {folder}")
    return num_kept


def _delivered(spool: Spool, uri: str, tries_refused: bool) -> Iterator[str]:
    """Deliver a spool that is held, and say how it went."""
    for tries_again in (False, True) if tries_refused else (False,):
        if tries_again:
            spool.retry_refused()
        if not spool.is_empty:
            client = _client_of(uri)
            # Nothing waits for the answers here, unlike in a training.
            with sending_files():
                num_taken = _deliver(spool, client)
            yield f"{num_taken} records delivered to {shown_uri(uri)}"
    yield from spool.hints


def _client_of(uri: str) -> MlflowClient:
    try:
        return connect(uri)
    except TrackingError as error:
        raise StoreAwayError(reason_of(error.__cause__ or error)) from error


def _require_no_credentials(uri: str) -> None:
    """Make sure that a store that a spool names gets none: the folder may come from others.

    Raises:
        NotDeliveredError: If it would get some, and nobody here has named it.
    """
    if not is_same_store(uri, tracking_uri_from_environment()) and gets_credentials(uri):
        raise NotDeliveredError(
            f"it would get the token or password that is set for MLflow; give --tracking_uri {shown_uri(uri)} if it may"
        )
