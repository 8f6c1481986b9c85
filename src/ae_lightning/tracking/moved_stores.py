"""SQLite files that were moved or copied with the folders they speak of, which MLflow names by their full paths."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from lightning_utilities.core.rank_zero import rank_zero_warn

from ae_lightning.tracking.addresses import SQLITE_SCHEME, database_of

_NAMED_IN = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""Tables and columns with paths of artifacts."""


def bring_home(database: Path) -> None:
    """Let a database that was moved or copied with its artifacts name them where they are now.

    Else MLflow would go on writing to where they were: into the original, where it was copied.

    Args:
        database: Its full path; what is in it has been made or upgraded by MLflow.
    """
    try:
        with closing(sqlite3.connect(database)) as connection, connection:
            for before, now in dict(_moved(connection, database)).items():
                rank_zero_warn(
                    f"{database} was moved or copied: its artifacts are looked for in {now}, not in {before}"
                )
                for table, column in _NAMED_IN:
                    connection.execute(
                        f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",
                        (f"{now}/", len(f"{before}/") + 1, len(f"{before}/"), f"{before}/"),
                    )
    except sqlite3.Error as error:
        rank_zero_warn(f"{database} was moved or copied, and cannot be told where its artifacts are now: {error}")


def _moved(connection: sqlite3.Connection, database: Path) -> Iterator[tuple[Path, Path]]:
    """Yield the folders of artifacts that are elsewhere, with where they are: `…/mlruns`, beside or above the database.

    They are known by the runs in them, whose names nobody gives twice.
    """
    for experiment, location in connection.execute("SELECT experiment_id, artifact_location FROM experiments"):
        named = Path(location or "")
        if not named.is_absolute() or len(named.parts) < 3 or named.parents[1] in database.parents:
            continue
        for root in database.parents:
            found = root / named.parent.name / named.name
            if found.is_dir() and _holds_runs_of(connection, experiment, found):
                if not (named.is_dir() and found.samefile(named)):
                    yield named.parent, found.parent
                break


def _holds_runs_of(connection: sqlite3.Connection, experiment: int, folder: Path) -> bool:
    runs = {
        run_id for (run_id,) in connection.execute("SELECT run_uuid FROM runs WHERE experiment_id = ?", (experiment,))
    }
    return any(path.name in runs for path in folder.iterdir())


def seen_from(tracking_uri: str, folder: Path) -> str | None:
    """Return the address of a store as it is seen from a folder that may be moved or copied with it.

    Returns:
        A relative one; None for a store that is no SQLite file.
    """
    database = database_of(tracking_uri)
    return None if database is None else f"{SQLITE_SCHEME}{os.path.relpath(database.resolve(), folder.resolve())}"


def found_from(relative: str, folder: Path) -> str | None:
    """Return the full address of what `seen_from` gave; None where no such file is there."""
    database = folder.resolve().joinpath(relative.removeprefix(SQLITE_SCHEME)).resolve()
    return f"{SQLITE_SCHEME}{database}" if database.is_file() else None
