"""Ranges that hyperparameters must lie in, and names that they must be among."""

from __future__ import annotations

import sys
from numbers import Integral, Real
from pathlib import Path
from typing import Any, TypeVar, get_args

from ae_lightning.errors import ConfigError, unknown_name

Name = TypeVar("Name", bound=str)

MAX_SEED = 2**32 - 1
"""NumPy takes none above."""


def require_name(key: str, value: Name, allowed: Any) -> Name:
    """Return the value, or say which names the key takes; Python does not look at annotations.

    Args:
        key: For the error, such as `"model.penalty"`.
        value: The name as given.
        allowed: The `Literal` of all names.

    Raises:
        ConfigError: If it is none of them.
    """
    names = get_args(allowed)
    if value not in names:
        raise ConfigError(unknown_name(key, str(value), names))
    return value


def require_instance(key: str, value: Any, cls: type, example: str) -> None:
    """Say what a key takes, where it is given something else.

    Args:
        key: For the error.
        value: As given.
        cls: What it must be an instance of.
        example: How to make one.

    Raises:
        ConfigError: If it is none.
    """
    if not isinstance(value, cls):
        raise ConfigError(f"{key}: {value!r} is not allowed; it takes a {cls.__name__}, such as {example}")


def require_factory(key: str, value: Any, example: str, arguments: str = "lr=0.001") -> None:
    """Say what a key takes, where it is given something that cannot be called, a class's name or an object of it.

    Raises:
        ConfigError: If it cannot be called.
    """
    if not callable(value):
        shown = repr(value) if isinstance(value, str) else f"an object of {type(value).__name__}"
        raise ConfigError(
            f"{key}: {shown} is not allowed; it takes a class, such as {example}, or "
            f"functools.partial({example}, {arguments})"
        )


def _require_number(key: str, value: Any, *, whole: bool = False) -> None:
    if not isinstance(value, Integral if whole else Real):
        raise ConfigError(f"{key}: {value!r} is not allowed; it takes {'an integer' if whole else 'a number'}")


def require_non_negative(key: str, value: float) -> float:
    """Return the value, or say which key wants one that is not negative.

    Raises:
        ConfigError: If it is negative, or no number.
    """
    _require_number(key, value)
    if not value >= 0:
        raise ConfigError(f"{key}: {value} is not allowed; it must not be negative")
    return value


def require_positive(key: str, value: float) -> float:
    """Return the value, or say which key wants one above 0.

    Raises:
        ConfigError: If it is 0 or less, or no number.
    """
    _require_number(key, value)
    if not value > 0:
        raise ConfigError(f"{key}: {value} is not allowed; it must be above 0")
    return value


def bytes_of_gib(key: str, gib: float) -> int:
    """Return a size in bytes, of a larger one than is countable the largest that is.

    Raises:
        ConfigError: If it is 0 or less, or no number.
    """
    return int(min(require_positive(key, gib) * 2**30, sys.maxsize))


def expanded(key: str, path: str | Path) -> Path:
    """Return a path with a user's home in place of `~` or `~NAME`.

    Raises:
        ConfigError: If there is no user of that name.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"{key}: {path} begins with what is no user's name") from error


def require_at_least(key: str, value: int, smallest: int = 1) -> int:
    """Return the value, or say which key wants a larger one.

    Raises:
        ConfigError: If it is smaller, or no integer.
    """
    _require_number(key, value, whole=True)
    if value < smallest:
        raise ConfigError(f"{key}: {value} is not allowed; it must be at least {smallest}")
    return value


def require_seed(key: str, seed: int) -> int:
    """Return a seed, or say which numbers the key takes.

    Raises:
        ConfigError: If it is out of range, or no integer.
    """
    _require_number(key, seed, whole=True)
    if isinstance(seed, bool) or not 0 <= seed <= MAX_SEED:
        raise ConfigError(f"{key}: {seed} is not allowed; it must be a number from 0 to {MAX_SEED}")
    return seed


def require_share(key: str, value: float) -> float:
    """Return the value, or say which key wants one from 0 to 1.

    Raises:
        ConfigError: If it lies outside, or is no number.
    """
    _require_number(key, value)
    if not 0 <= value <= 1:
        raise ConfigError(f"{key}: {value} is not allowed; it must lie from 0 to 1")
    return value
