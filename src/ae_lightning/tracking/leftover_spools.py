"""What processes that have ended left on disk for MLflow: found, and delivered."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lightning_utilities.core.rank_zero import rank_zero_warn
from rich.console import Console

from ae_lightning.data.progress import track_slow
from ae_lightning.errors import ConfigError, TrackingError
from ae_lightning.tracking.addresses import is_same_store, shown_uri, tracking_uri_from_environment
from ae_lightning.tracking.answers import reason_of
from ae_lightning.tracking.delivery import OtherVersionError, RunGoneError, StoreAwayError, require_run
from ae_lightning.tracking.origin import read_origin
from ae_lightning.tracking.spool import ORIGIN_FILE, Spool, SpoolInUseError, held
from ae_lightning.tracking.store import connect, gets_credentials, impatient, sending_files

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
        return Spool(path.parent, read_origin(path))
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
    own = [spool for spool in find_spools(root) if is_same_store(spool.origin.tracking_uri, tracking_uri)]
    # Where nothing is left but what MLflow took at no attempt, nothing is to be delivered.
    spools = [spool for spool in own if not (spool.is_empty and spool.num_refused)]
    client = connect(tracking_uri) if spools else None
    for spool in spools:
        assert client is not None
        try:
            with suppress(SpoolInUseError, RunGoneError), held(spool, patience), impatient():
                require_run(client, spool.origin.run_id)
                spool.deliver_all(client)
        except OtherVersionError as error:
            rank_zero_warn(f"run {spool.origin.run_id}: what waits in {spool.folder} is {error}")
        except StoreAwayError as error:
            raise TrackingError(f"MLflow at {shown_uri(tracking_uri)!r}: {error}") from error


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
            with held(spool):
                spool.deliver_all(client)
        except SpoolInUseError as error:
            raise TrackingError(
                f"run {run_id}: another process trains it or delivers what waits in {spool.folder}"
            ) from error
        except OtherVersionError as error:
            raise TrackingError(f"run {run_id}: what waits in {spool.folder} is {error}") from error
        except StoreAwayError as error:
            raise TrackingError(f"run {run_id}: MLflow does not take what waits in {spool.folder}: {error}") from error


@dataclass
class _Delivery:
    """Goes from spool to spool.

    Attributes:
        tracking_uri: A store in place of the spools' own.
        tries_refused: Whether to try again what MLflow took at no attempt.
        away: What the stores that do not answer said, by their address.
        faults: What the disk said of the spools that cannot be read or written.
        num_kept: How many spools stay because their run is gone, another version delivers them, nobody named a store
            that would get credentials, or MLflow takes some of it at no attempt.
    """

    tracking_uri: str | None
    tries_refused: bool
    console: Console
    away: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    num_kept: int = 0

    def deliver(self, spool: Spool) -> None:
        """Deliver a spool and say how it went."""
        uri, run_id = self.tracking_uri or spool.origin.tracking_uri, spool.origin.run_id
        is_named = self.tracking_uri is not None or is_same_store(uri, tracking_uri_from_environment())
        # The folder may come from others, who are not to choose who gets them.
        if not is_named and gets_credentials(uri):
            self.num_kept += 1
            self._say(
                f"run {run_id}: not delivered to {shown_uri(uri)}, which would get the token or password that is set "
                f"for MLflow; give --tracking_uri {shown_uri(uri)} if it may; what waits stays in {spool.folder}"
            )
            return
        try:
            with held(spool):
                self._deliver(spool, uri, run_id)
                if self.tries_refused and uri not in self.away:
                    spool.retry_refused()
                    self._deliver(spool, uri, run_id)
                if spool.num_refused:
                    self.num_kept += 1
                    self._say(f"run {run_id}: {spool.hints[-1]}")
        except SpoolInUseError:
            self._say(f"run {run_id}: a process that still runs has it, and delivers it itself")
        except (RunGoneError, OtherVersionError) as error:
            self.num_kept += 1
            self._say(f"run {run_id}: not delivered to {shown_uri(uri)}: {error}; what waits stays in {spool.folder}")
        except StoreAwayError as error:
            self.away[uri] = str(error)
        except OSError as error:
            self.faults.append(f"{spool.folder}: {error.strerror or error}")

    def _deliver(self, spool: Spool, uri: str, run_id: str) -> None:
        records = spool.waiting()
        if not records or uri in self.away:
            return
        try:
            client = connect(uri)
        except TrackingError as error:
            raise StoreAwayError(reason_of(error.__cause__ or error)) from error
        with impatient():
            require_run(client, run_id)
            # Nothing waits for the answers here, unlike in a training.
            with sending_files():
                taken = [spool.deliver(record, client) for record in track_slow(records, f"run {run_id}")]
        self._say(f"run {run_id}: {sum(taken)} records delivered to {shown_uri(uri)}")

    def _say(self, line: str) -> None:
        self.console.print(line, soft_wrap=True, highlight=False, markup=False)


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
    delivery = _Delivery(tracking_uri, tries_refused, Console())
    spools = find_spools(folder)
    for spool in spools:
        delivery.deliver(spool)
    if delivery.faults:
        raise ConfigError(f"sync: {'; '.join(delivery.faults)}")
    if delivery.away:
        stores = "; ".join(
            f"MLflow at {shown_uri(uri)!r} does not answer ({reason})" for uri, reason in delivery.away.items()
        )
        raise TrackingError(f"sync: {stores}; what waits stays in {folder}, so run the same command again")
    if not spools:
        delivery.console.print(f"nothing waits in {folder}", soft_wrap=True, highlight=False, markup=False)
    return delivery.num_kept
