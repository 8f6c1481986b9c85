"""Files that a command is to leave: refused in one line, and before the work where that can be told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

from ae_lightning.errors import ConfigError, first_line


def require_writable(option: str, folder: Path) -> None:
    """Make sure that a folder takes files, before work is done for one.

    Args:
        option: What named the folder.
        folder: It, which exists.

    Raises:
        ConfigError: If it does not take any.
    """
    with refusal_of_output(option, folder), TemporaryFile(dir=folder):
        pass


@contextmanager
def refusal_of_output(option: str, path: Path) -> Iterator[None]:
    """Say which file or folder cannot be written.

    Args:
        option: What named it.
        path: The file or folder.

    Raises:
        ConfigError: In place of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise ConfigError(f"{option}: {path} cannot be written ({error.strerror or first_line(error)})") from error
