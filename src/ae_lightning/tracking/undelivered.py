"""All that waits on disk since MLflow was away, delivered run by run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from ae_lightning.data.progress import track_slow
from ae_lightning.errors import ConfigError, TrackingError
from ae_lightning.tracking.delivery import RunGoneError, StoreAwayError, reason_of, require_run
from ae_lightning.tracking.left_behind import find_spools
from ae_lightning.tracking.spool import Spool, SpoolInUseError, held
from ae_lightning.tracking.store import connect, impatient, sending_files, shown_uri


@dataclass
class _Delivery:
    """Goes from spool to spool.

    Attributes:
        tracking_uri: A store in place of the spools' own.
        away: What the stores that do not answer said, by their address.
        faults: What the disk said of the spools that cannot be read or written.
        num_kept: How many spools stay because their run is gone.
    """

    tracking_uri: str | None
    console: Console
    away: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    num_kept: int = 0

    def deliver(self, spool: Spool) -> None:
        """Deliver a spool and say how it went."""
        uri, run_id = self.tracking_uri or spool.origin.tracking_uri, spool.origin.run_id
        try:
            with held(spool):
                self._deliver(spool, uri, run_id)
        except SpoolInUseError:
            self._say(f"run {run_id}: a process that still runs has it, and delivers it itself")
        except RunGoneError as error:
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
                for record in track_slow(records, f"run {run_id}"):
                    spool.deliver(record, client)
        self._say(f"run {run_id}: {len(records)} records delivered to {shown_uri(uri)}")

    def _say(self, line: str) -> None:
        self.console.print(line, soft_wrap=True, highlight=False, markup=False)


def deliver_all(folder: Path, tracking_uri: str | None) -> int:
    """Deliver every spool of a folder, and say how each went.

    Args:
        folder: Where they wait.
        tracking_uri: A store in place of the spools' own.

    Returns:
        How many spools stay because their run is gone.

    Raises:
        ConfigError: If a spool cannot be read or written.
        TrackingError: If a store does not answer.
    """
    delivery = _Delivery(tracking_uri, Console())
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
