"""Short class names that two classes have: which of them is meant."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jsonargparse import _typehints

MEANT = {"ReduceLROnPlateau": "lightning.pytorch.cli.ReduceLROnPlateau"}
"""Lightning's, which knows what it follows, bears the name of its base, torch's."""


@contextmanager
def short_names_resolved() -> Iterator[None]:
    """Let a short name that jsonargparse would refuse as ambiguous stand for one class."""
    by_name: Any = _typehints.resolve_class_path_by_name

    def resolve(cls: Any, name: str) -> Any:
        return MEANT.get(name) or by_name(cls, name)

    _typehints.resolve_class_path_by_name = resolve
    try:
        yield
    finally:
        _typehints.resolve_class_path_by_name = by_name
