"""Names of parameters and metrics in MLflow: the keys of the command line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any


def valid_key(key: str) -> str:
    """Replace what MLflow refuses in a parameter's or metric's name."""
    return re.sub(r"[^\w/. -]", "_", key)


def short_keys(keys: Iterable[str]) -> dict[str, str]:
    """Return the last part of each key where no other key ends alike, else the key."""
    last = {key: key.rsplit(".", 1)[-1] for key in keys}
    counts = Counter(last.values())
    return {key: short if counts[short] == 1 else key for key, short in last.items()}


def command_line_keys(values: Mapping[str, Any]) -> dict[str, Any]:
    """Flatten a configuration to the keys of the command line: no `init_args`, and a class under its own key.

    Args:
        values: A resolved configuration.

    Returns:
        Values by dotted key; short class names; lists as they are.
    """
    flat: dict[str, Any] = {}
    for key, value in values.items():
        _flatten(key, value, flat)
    return flat


def _flatten(key: str, value: Any, flat: dict[str, Any]) -> None:
    if isinstance(value, Mapping) and "class_path" in value:
        flat[key] = str(value["class_path"]).rsplit(".", 1)[-1]
        value = value.get("init_args") or {}
    if isinstance(value, Mapping):
        for name, inner in value.items():
            _flatten(f"{key}.{name}", inner, flat)
    else:
        flat[key] = value
