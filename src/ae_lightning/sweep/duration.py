"""Durations as people write them."""

from __future__ import annotations

import re

from ae_lightning.errors import ConfigError

SECONDS_PER_UNIT = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}


def parse_seconds(key: str, text: str | float) -> float:
    """Return the seconds of a duration such as `8h`, `1h30m`, `45s` or `90` (seconds).

    Args:
        key: Where it was given, for the error.
        text: The duration.

    Raises:
        ConfigError: If it is none, or not above 0.
    """
    written = str(text).strip().lower()
    parts = re.findall(r"(\d+(?:\.\d+)?)([dhms])", written)
    if re.fullmatch(r"\d+(?:\.\d+)?", written):
        seconds = float(written)
    elif parts and "".join(number + unit for number, unit in parts) == written:
        seconds = sum(float(number) * SECONDS_PER_UNIT[unit] for number, unit in parts)
    else:
        seconds = 0.0
    if seconds <= 0:
        raise ConfigError(f"{key}: {text!r} is not allowed; it must be a duration such as 8h, 1h30m or 45s")
    return seconds
