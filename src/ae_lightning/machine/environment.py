"""Variables of this process's environment that are changed for a while."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping


def variables(names: Iterable[str]) -> dict[str, str | None]:
    """Return what variables are, None where they are not set."""
    return {name: os.environ.get(name) for name in names}


def put_back(values: Mapping[str, str | None]) -> None:
    """Let variables be what they were."""
    for name, value in values.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
