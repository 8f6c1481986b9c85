"""Arguments of augmentations: what torchvision's transforms v2 take, or one line that says so."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from ae_lightning.data.augmentation import Range
from ae_lightning.errors import ConfigError

Interval = tuple[float, float]
"""Ends of a range that is drawn from uniformly."""

Numbers = float | Sequence[float]
"""One number, or several."""


def is_number(value: Any) -> bool:
    """Whether a value is a number, and neither true nor false."""
    return isinstance(value, Real) and not isinstance(value, bool)


def numbers(key: str, value: Any, lengths: Sequence[int]) -> tuple[float, ...]:
    """Return a list of numbers.

    Args:
        key: For the error.
        value: As given.
        lengths: How many there may be.

    Raises:
        ConfigError: If it is none of such a length.
    """
    if isinstance(value, Sequence) and len(value) in lengths and all(map(is_number, value)):
        return tuple(map(float, value))
    raise ConfigError(f"{key}: {value!r} is not allowed; it must be a list of {' or '.join(map(str, lengths))} numbers")


def interval(key: str, value: Any, lowest: float = float("-inf"), highest: float = float("inf")) -> Interval:
    """Return the two ends of a range.

    Args:
        key: For the error.
        value: Two numbers.
        lowest: Least end that is allowed.
        highest: Largest end that is allowed.

    Raises:
        ConfigError: If it is no such range, or begins above its end.
    """
    low, high = numbers(key, value, (2,))
    if not lowest <= low <= high <= highest:
        bounds = "" if (lowest, highest) == (float("-inf"), float("inf")) else f" within {lowest:g} and {highest:g}"
        raise ConfigError(f"{key}: {value!r} is not allowed; it must be a lower and an upper end{bounds}")
    return low, high


def positive_interval(key: str, value: Any) -> Interval:
    """Return the two ends of a range above 0.

    Raises:
        ConfigError: If it is no such range.
    """
    low, high = interval(key, value, 0)
    if low == 0:
        raise ConfigError(f"{key}: {value!r} is not allowed; it must be above 0")
    return low, high


def around(
    key: str,
    value: Any,
    centre: float = 0.0,
    lowest: float = float("-inf"),
    highest: float = float("inf"),
    allowed: str = "a number or a list of 2 numbers",
) -> Interval:
    """Return a range that is given by its ends, or by how far it reaches to both sides of a centre.

    Args:
        key: For the error.
        value: As given.
        centre: Of a range that is given by one number; where it is not 0, its lower end is cut off at ``lowest``.
        lowest: Least end that is allowed.
        highest: Largest end that is allowed.
        allowed: What may be given, in words.

    Raises:
        ConfigError: If it is no such range.
    """
    if not is_number(value):
        if isinstance(value, str) or not isinstance(value, Sequence) or len(value) != 2:
            raise ConfigError(f"{key}: {value!r} is not allowed; it must be {allowed}")
        return interval(key, value, lowest, highest)
    if value < 0:
        raise ConfigError(f"{key}: {value} is not allowed; one number must not be negative")
    return interval(key, (max(lowest, centre - value) if centre else centre - value, centre + value), lowest, highest)


def sides(key: str, value: Any) -> tuple[int, int]:
    """Return height and width, given as one number or two.

    Raises:
        ConfigError: If these are no whole numbers above 0.
    """
    given = [value] if isinstance(value, int) else value
    if isinstance(given, Sequence) and len(given) in (1, 2) and all(type(side) is int and side > 0 for side in given):
        return given[0], given[-1]
    raise ConfigError(f"{key}: {value!r} is not allowed; it must be one or two whole numbers above 0")


def colour(key: str, value: Any) -> tuple[float, ...]:
    """Return a value for all channels, or one for each.

    Raises:
        ConfigError: If it holds anything but numbers.
    """
    given = [value] if is_number(value) else value
    if isinstance(given, Sequence) and given and all(map(is_number, given)):
        return tuple(map(float, given))
    raise ConfigError(f"{key}: {value!r} is not allowed; it must be a number, or a list of one a channel")


def require_colour(key: str, values: tuple[float, ...], num_channels: int, value_range: Range | None) -> None:
    """Refuse a colour that is of other images.

    Args:
        key: For the error.
        values: From ``colour``.
        num_channels: Of the images.
        value_range: Of the images; None where they have no bounds.

    Raises:
        ConfigError: If it has another number of channels, or lies outside of the images' range.
    """
    if len(values) not in (1, num_channels):
        raise ConfigError(f"{key}: it has {len(values)} values, and these images {num_channels} channels")
    if value_range is not None and not value_range[0] <= min(values) <= max(values) <= value_range[1]:
        given = values[0] if len(values) == 1 else list(values)
        low, high = value_range
        raise ConfigError(
            f"{key}: {given!r} is not allowed; the values of these images, as scaled, lie from {low:g} to {high:g}"
        )


def as_pixel(values: tuple[float, ...], like: Tensor) -> Tensor:
    """Return a colour as a pixel of a batch: shape (1, C, 1, 1), or (1, 1, 1, 1)."""
    if len(values) == 1:
        # Written on the device: to send it there would wait for the device.
        return torch.full((1, 1, 1, 1), values[0], dtype=like.dtype, device=like.device)
    return torch.tensor(values, dtype=like.dtype).view(1, -1, 1, 1).to(like.device, non_blocking=True)


def uniform(shares: Tensor, ends: Interval) -> Tensor:
    """Return what lies in a range where shares lie in [0, 1)."""
    low, high = ends
    return low + (high - low) * shares


def whole(shares: Tensor, num: int | Tensor) -> Tensor:
    """Return whole numbers from 0 to num − 1, each as likely, of shares in [0, 1)."""
    return (shares * num).floor()
