"""Addresses of MLflow stores: which of them are one store's, who gets credentials, and how messages show them."""

from __future__ import annotations

import os
import re
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

DEFAULT_TRACKING_URI = "sqlite:///mlflow.db"
SQLITE_SCHEME = "sqlite:///"

NOWHERE = "http://nowhere.invalid"
"""A store that MLflow makes a client for without looking whether it is there."""

_DEFAULT_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}


def tracking_uri_from_environment() -> str:
    """Return `MLFLOW_TRACKING_URI`, else the database in the working directory that a bare `mlflow ui` reads."""
    return os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_TRACKING_URI


_USER = re.compile(
    # Before the path, as HTTP and most others have it; else, as SQLAlchemy reads a database's, up to the first @ after
    # a colon, whatever is in between. A server's port is none.
    r"(?<=://)(?:[^/?#\s]*@|(?:(?<!http://)(?<!https://)|(?!\[|[^:/?#\s]*:\d*[/?#]))[^:/\s]*:[^@\s]*@)",
    re.IGNORECASE,
)
_SECRETS = re.compile(
    r"([?&])(?:\w*(?:password|passwd|pwd|token|secret|odbc_connect)=[^&\s]*(?:&|(?![^&\s])))+", re.IGNORECASE
)


def shown_uri(tracking_uri: str) -> str:
    """Return a URI, or a text with URIs in it, as messages show it: without users and passwords."""
    without_user = _USER.sub("", tracking_uri)
    return _SECRETS.sub(lambda found: found[1] if found[0].endswith("&") else "", without_user)


def is_server(tracking_uri: str) -> bool:
    """Whether MLflow's client asks a store over HTTP: like that, this reads `HTTP://` and ` http://` as `http://`."""
    try:
        return urlsplit(tracking_uri).scheme in ("http", "https")
    except ValueError:
        # No address at all, such as one with half an IPv6 host.
        return False


def is_same_store(uri: str, other: str) -> bool:
    """Whether two addresses are of one store, whoever asks it and however they are spelt."""
    return uri == other or _place(uri) == _place(other)


def _place(tracking_uri: str) -> tuple[str, ...]:
    """Return what all spellings of an address have in common, without its user."""
    if database_of(tracking_uri) is not None:
        return (absolute_uri(tracking_uri),)
    try:
        parts = urlsplit(tracking_uri if is_server(tracking_uri) else shown_uri(tracking_uri))
        port = parts.port
    except ValueError:
        return (tracking_uri,)
    # The driver behind a plus is a matter of this machine.
    scheme = parts.scheme.partition("+")[0]
    port = _DEFAULT_PORTS.get(scheme) if port is None else port
    return scheme, _host(parts.hostname or ""), str(port), parts.path.rstrip("/"), parts.query


def _host(name: str) -> str:
    """Return a host as it is written shortest: `::1` has many forms, and a trailing dot names the same one."""
    try:
        return ip_address(name).compressed
    except ValueError:
        return name.rstrip(".")


def absolute_uri(tracking_uri: str) -> str:
    """Give a sqlite database its full path.

    MLflow keeps its connections by URI, so a relative one would lead a process that changes its working directory back
    to the database of the old one.
    """
    database = database_of(tracking_uri)
    return tracking_uri if database is None else f"{SQLITE_SCHEME}{database.resolve()}"


def database_of(tracking_uri: str) -> Path | None:
    """Return the file of a sqlite database; None for every other store."""
    path = tracking_uri.removeprefix(SQLITE_SCHEME)
    return Path(path) if path not in ("", tracking_uri, ":memory:") else None


def is_made(tracking_uri: str) -> bool:
    """Whether a store is there as far as this can be told without asking it: a sqlite database would be made."""
    database = database_of(tracking_uri)
    return database is None or database.is_file()
