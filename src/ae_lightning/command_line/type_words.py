"""What a type takes, in the words of somebody who writes a configuration and no Python."""

from __future__ import annotations

import ast
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
    **dict.fromkeys(("NoneType", "None"), "null"),
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
    try:
        return joined(_words(ast.parse(re.sub(r"<\w+ '([^']+)'>", r"\1", kind), mode="eval").body))
    except SyntaxError:
        return kind


def joined(words: Sequence[str]) -> str:
    """Join words by commas and, before the last, by `or`."""
    return " or ".join([*filter(None, [", ".join(words[:-1])]), words[-1]])


def _words(*kinds: ast.expr) -> list[str]:
    words = list(dict.fromkeys(word for kind in kinds for word in _alternatives(kind)))
    if "a number" in words and "a whole number" in words:
        words.remove("a whole number")
    return words


def _alternatives(kind: ast.expr) -> list[str]:
    """Return each thing that a type takes by itself."""
    if isinstance(kind, ast.Tuple):
        return _words(*kind.elts)
    if isinstance(kind, ast.BinOp):
        return _words(kind.left, kind.right)
    of = kind.slice if isinstance(kind, ast.Subscript) else None
    name = ast.unparse(kind.value if isinstance(kind, ast.Subscript) else kind).rpartition(".")[2]
    inside = of.elts if isinstance(of, ast.Tuple) else [of] if of is not None else []
    if name in ("Union", "Optional"):
        return [*_words(*inside), *["null"] * (name == "Optional")]
    if name == "Literal":
        return [ast.unparse(value).strip("'\"") for value in inside]
    if name in LISTS and inside:
        kinds = [one for one in inside if ast.unparse(one) != "..."]
        each = joined([PLURALS.get(word, word) for word in _words(kinds[0])])
        return [f"a list of {f'{len(kinds)} ' if len(kinds) > 1 else ''}{each}"]
    return PLAIN[name].split(" or ") if name in PLAIN else [name]
