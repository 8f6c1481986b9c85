"""Faults that a user can mend: one line on stderr, an exit code, no traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class UserError(Exception):
    """What the user gave cannot be used; the message says what, and what would be right.

    Attributes:
        exit_code: What the process exits with when the error reaches the command line.
    """

    exit_code = 2


class ConfigError(UserError):
    """A key, class or value of the configuration is wrong."""


class DataError(UserError):
    """Images are missing, damaged, or not what they were said to be."""


class UnreadableError(DataError):
    """A file may be in order, but the machine does not give it: no rights, a share that is away, a failing disk."""


class CheckpointError(UserError):
    """A checkpoint is missing, damaged, or does not fit the model."""


class TrackingError(UserError):
    """The MLflow server or store cannot be used."""


class TrainingError(UserError):
    """Everything was in order, and yet the training cannot go on.

    Attributes:
        is_on_every_rank: Whether each rank raises it, so that one may speak for all.
    """

    exit_code = 1
    is_on_every_rank = False


class NotFiniteError(TrainingError):
    """A loss, a weight or a measure became NaN or infinite."""

    is_on_every_rank = True


class ExhaustedError(TrainingError):
    """The machine has no memory or no disk space left."""


@contextmanager
def refusal_explained(key: str) -> Iterator[None]:
    """Say which key holds the values that another library's class refuses.

    Raises:
        ConfigError: In place of its ValueError, TypeError, ZeroDivisionError or ModuleNotFoundError.
    """
    try:
        yield
    except (TypeError, ValueError, ZeroDivisionError, ModuleNotFoundError) as error:
        raise ConfigError(f"{key}: {error}") from error


def first_line(error: BaseException, limit: int = 200) -> str:
    """Return the first line of what an error says, cut off at a length; its class's name where it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0][:limit] if lines else type(error).__name__


def unknown_name(kind: str, name: str, allowed: Iterable[str]) -> str:
    """Say that a name is not known, which one is nearest, and what is allowed.

    Args:
        kind: What the name should have named, such as ``"data.name"``.
        name: The name as given.
        allowed: Every valid name.

    Returns:
        One line, without a full stop.
    """
    # What is known elsewhere, and not here, is no help.
    names = sorted({*allowed} - {name})
    by_letters = {one.lower(): one for one in names}
    nearest = difflib.get_close_matches(name.lower(), by_letters, n=1, cutoff=0.5)
    hint = f"did you mean {by_letters[nearest[0]]!r}? " if nearest else ""
    return f"{kind}: {name!r} is not known; {hint}Allowed: {', '.join(names)}"
