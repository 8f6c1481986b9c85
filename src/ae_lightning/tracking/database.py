"""The SQLite file that is MLflow's store where no other is named: made whole, and by one process."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from ae_lightning.errors import TrackingError
from ae_lightning.tracking.addresses import SQLITE_SCHEME
from ae_lightning.waiting import HeldTooLongError, holding
from ae_lightning.whole_files import replacing

SECONDS_FOR_ANOTHER = 300.0
"""How long another process may take to make or upgrade a database."""

_REMEDY = "move it away, or set MLFLOW_TRACKING_URI or --trainer.logger.tracking_uri to another store"
_HEADER = b"SQLite format 3\0"


@contextmanager
def opening(database: Path) -> Iterator[None]:
    """Keep other processes from opening a database meanwhile, and make it where it is not there.

    Processes that make or upgrade one at the same time break each other's migrations, and one that is killed meanwhile
    leaves what no later start survives: a new one gets its name when it is whole.

    Args:
        database: Its full path.

    Raises:
        TrackingError: If it is no database, or another process has it for too long.
        OSError: If it cannot be made.
    """
    if not database.parent.is_dir():
        raise NotADirectoryError(f"{database.parent} is not a directory")
    _require_database(database)
    with _lock_of(database):
        if database.exists() and database.stat().st_size == 0:
            database.unlink()
        if not database.exists():
            _make(database)
        yield


@contextmanager
def _lock_of(database: Path) -> Iterator[None]:
    try:
        with holding(database.with_name(f"{database.name}.lock"), SECONDS_FOR_ANOTHER):
            yield
    except HeldTooLongError as error:
        raise TrackingError(f"MLflow's database {database}: {error}") from error


def _require_database(database: Path) -> None:
    """Refuse what is none: MLflow would try for a minute to open it, and wait for ever at a pipe.

    Raises:
        TrackingError: If it is none.
        OSError: If it cannot be read.
    """
    if not database.exists():
        return
    if not database.is_file():
        what = "a folder" if database.is_dir() else "no file"
        raise TrackingError(f"{database} is {what}, and no database; {_REMEDY}")
    with database.open("rb") as file:
        start = file.read(len(_HEADER))
    if start not in (b"", _HEADER):
        raise TrackingError(f"{database} is no SQLite database; {_REMEDY}")


def _make(database: Path) -> None:
    from mlflow.store.tracking import DEFAULT_LOCAL_FILE_AND_ARTIFACT_PATH
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    # Another program, such as `mlflow ui`, may make one in the meantime, by no lock of ours.
    with suppress(FileExistsError), replacing(database, overwrites=False) as temporary, _unsynced(temporary):
        store = SqlAlchemyStore(f"{SQLITE_SCHEME}{temporary}", DEFAULT_LOCAL_FILE_AND_ARTIFACT_PATH)  # type: ignore[no-untyped-call]
        store.engine.dispose()


@contextmanager
def _unsynced(database: Path) -> Iterator[None]:
    """Let nobody wait for the disk at each of the hundreds of statements that make a database.

    It is synced when it is whole, and gets its name only then.

    Args:
        database: Its temporary name.
    """
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    def trust_the_memory(connection: object, _: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            ((_, _, path), *_others) = connection.execute("PRAGMA database_list")
            if path == str(database):
                connection.execute("PRAGMA synchronous = OFF")
                connection.execute("PRAGMA journal_mode = MEMORY")

    event.listen(Engine, "connect", trust_the_memory)
    try:
        yield
    finally:
        event.remove(Engine, "connect", trust_the_memory)


def holds_no_run(database: Path) -> bool:
    """Whether a database can be read, and nothing would be lost with it."""
    try:
        with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            return "runs" not in tables or connection.execute("SELECT 1 FROM runs LIMIT 1").fetchone() is None
    except sqlite3.Error:
        return False
