"""Texts of others as they can be shown to a person."""

from __future__ import annotations

from collections.abc import Sequence


def plain(text: str) -> str:
    """Write what moves a terminal's cursor, colours it, or hides and reorders letters by its number, not as itself."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def plain_names(names: Sequence[str] | None) -> tuple[str, ...] | None:
    """Write each of several names so; None where there are none."""
    return None if names is None else tuple(map(plain, names))
