"""Which version of this package wrote a file, and whether this one reads it."""

from __future__ import annotations

from ae_lightning import __version__
from ae_lightning.errors import UserError

STATE_KEY = "ae_lightning"
"""Where a checkpoint keeps what is neither Lightning's nor the model's: the version, the run and its configuration."""

FIRST_VERSION = "0.1"
"""The only one that wrote no version into its files."""


def release_of(version: str) -> str:
    """Return a version without its last number: before 1.0, what differs in that alone reads the same files."""
    return ".".join(version.split(".")[:2])


def require_readable(what: str, version: str, again: str, error: type[UserError]) -> None:
    """Refuse what another release wrote.

    Args:
        what: The file or folder, as an error begins.
        version: Of the package that wrote it.
        again: What to do with this release, such as `train again`.
        error: What is raised.

    Raises:
        UserError: Of that class, if this release does not read it.
    """
    theirs, own = release_of(version), release_of(__version__)
    if theirs != own:
        raise error(f"{what}: written by ae_lightning {theirs}; this is {own}: {again} or use {theirs}")
