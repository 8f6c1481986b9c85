"""Ranges that hyperparameters must lie in, and names that they must be among."""

from __future__ import annotations

from typing import Any, TypeVar, get_args

from ae_lightning.errors import ConfigError, unknown_name

Name = TypeVar("Name", bound=str)


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


def require_non_negative(key: str, value: float) -> float:
    """Return the value, or say which key wants one that is not negative.

    Raises:
        ConfigError: If it is negative.
    """
    if not value >= 0:
        raise ConfigError(f"{key}: {value} is not allowed; it must not be negative")
    return value


def require_positive(key: str, value: float) -> float:
    """Return the value, or say which key wants one above 0.

    Raises:
        ConfigError: If it is 0 or less.
    """
    if not value > 0:
        raise ConfigError(f"{key}: {value} is not allowed; it must be above 0")
    return value


def require_at_least(key: str, value: int, smallest: int = 1) -> int:
    """Return the value, or say which key wants a larger one.

    Raises:
        ConfigError: If it is smaller.
    """
    if value < smallest:
        raise ConfigError(f"{key}: {value} is not allowed; it must be at least {smallest}")
    return value


def require_share(key: str, value: float) -> float:
    """Return the value, or say which key wants one from 0 to 1.

    Raises:
        ConfigError: If it lies outside.
    """
    if not 0 <= value <= 1:
        raise ConfigError(f"{key}: {value} is not allowed; it must lie from 0 to 1")
    return value
