"""Where the writes of a spool belong, as its folder says."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ae_lightning import __version__
from ae_lightning.tracking.moved_stores import found_from, seen_from
from ae_lightning.versions import FIRST_VERSION

_SEEN_FROM_HERE = "seen_from_here"


@dataclass(frozen=True)
class Origin:
    """Where the writes of a spool belong.

    Attributes:
        tracking_uri: The store.
        run_id: The run.
        version: Of this package, as it wrote them.
    """

    tracking_uri: str
    run_id: str
    version: str = __version__


def origin_text(origin: Origin, folder: Path) -> str:
    """Return what `read_origin` reads in a folder, also if that is moved or copied with the store."""
    return json.dumps({**asdict(origin), _SEEN_FROM_HERE: seen_from(origin.tracking_uri, folder)})


def read_origin(path: Path) -> Origin:
    """Read where the writes of a spool belong: to the store beside it, if they were moved or copied together.

    Raises:
        OSError: If it cannot be read.
        TypeError: If it holds something else.
        ValueError: Likewise.
    """
    fields = {"version": FIRST_VERSION, **json.loads(path.read_text(encoding="utf-8"))}
    relative = fields.pop(_SEEN_FROM_HERE, None)
    beside = None if relative is None else found_from(relative, path.parent)
    origin = Origin(**fields)
    return origin if beside is None else replace(origin, tracking_uri=beside)
