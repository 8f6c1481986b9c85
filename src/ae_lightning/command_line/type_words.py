"""What a type takes, in the words of somebody who writes a configuration and no Python."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import fields

from ae_lightning.training.schedules import Annealing

MAPPINGS = {cls.__name__: tuple(field.name for field in fields(cls)) for cls in (Annealing,)}
"""Classes that a configuration gives as a mapping of these keys."""

LISTS = ("list", "List", "Sequence", "Iterable", "tuple", "Tuple")

PLAIN = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "a text",
    **dict.fromkeys(("dict", "Mapping", "Augmentation"), "a mapping"),
    "NoneType": "null",
    "None": "null",
    "timedelta": "a duration",
    "Path": "a path",
    **dict.fromkeys(LISTS, "a list"),
    **{name: f"{{{', '.join(keys)}}}" for name, keys in MAPPINGS.items()},
}

PLURALS = {
    "a whole number": "whole numbers",
    "a number": "numbers",
    "a text": "names",
    "a mapping": "mappings",
}


def in_words(kind: str) -> str:
    """Say what a value of a type may be.

    Args:
        kind: The type as Python or jsonargparse writes it, such as `Union[float, Literal['auto']]`; or several,
            separated by commas.

    Returns:
        Such as `a number or auto`.
    """
    return joined(_words(kind))


def _words(kind: str) -> list[str]:
    words = list(dict.fromkeys(word for part in _split(kind, ",") for word in _alternatives(part)))
    if "a number" in words and "a whole number" in words:
        words.remove("a whole number")
    return words


def joined(words: Sequence[str]) -> str:
    """Join words by commas and, before the last, by `or`."""
    return " or ".join([*filter(None, [", ".join(words[:-1])]), words[-1]])


def _alternatives(kind: str) -> list[str]:
    """Return each thing that a type takes by itself."""
    kind = re.sub(r"^<class '(.+)'>$", r"\1", kind.strip())
    parts = _split(kind, "|")
    if len(parts) > 1:
        return [word for part in parts for word in _alternatives(part)]
    name, _, inside = kind.removesuffix("]").partition("[")
    name = name.rpartition(".")[2]
    if name in ("Union", "Optional"):
        others = ["null"] if name == "Optional" else []
        return [word for part in _split(inside, ",") for word in _alternatives(part)] + others
    if name == "Literal":
        return [value.strip("'\"") for value in _split(inside, ",")]
    if name in LISTS and inside:
        kinds = _split(inside.removesuffix(", ..."), ",")
        number = f"{len(kinds)} " if len(kinds) > 1 else ""
        each = joined([PLURALS.get(word, word) for word in _words(kinds[0])])
        return [f"a list of {number}{each}"]
    return PLAIN[name].split(" or ") if name in PLAIN else [name]


def _split(kind: str, mark: str) -> list[str]:
    """Split at the marks that are in no brackets and no quotes."""
    found = [""]
    depth, quote = 0, ""
    for letter in kind:
        if quote or letter in "'\"":
            quote = "" if letter == quote else quote or letter
        depth += (letter in "[{(") - (letter in "]})")
        if letter == mark and depth == 0 and not quote:
            found.append("")
        else:
            found[-1] += letter
    return [part.strip() for part in found]
