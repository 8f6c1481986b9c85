"""YAML from users: read as data alone, and refused where it would grow beyond all measure when it is read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import yaml

MAX_DEPTH = 60
"""Levels: what reads the values is recursive."""

MAX_NODES = 100_000
"""Values with every alias written out: nine lists of nine aliases each are 387 million."""

_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load_yaml(text: str) -> Any:
    """Read YAML as plain values, without Python tags.

    Args:
        text: One document.

    Returns:
        Mappings, lists and scalars; None for an empty document.

    Raises:
        yaml.YAMLError: If it is not valid, or larger or deeper than a configuration can be.
    """
    check_structure(text)
    with constructors_explained():
        return yaml.safe_load(text)


@contextmanager
def constructors_explained() -> Iterator[None]:
    """Let what PyYAML raises over a value that its tag does not take be an error of YAML's.

    Its constructors look values up, match and convert them unguarded: `!!bool foo` is a KeyError, `!!timestamp foo` an
    AttributeError, `!!int ""` an IndexError, the date 2001-99-99 a ValueError.

    Raises:
        yaml.YAMLError: In place of those.
    """
    try:
        yield
    except (LookupError, AttributeError, TypeError, ValueError) as error:
        fault = error if isinstance(error, ValueError) else f"a value is not of its tag ({error})"
        raise yaml.YAMLError(str(fault)) from error


def check_structure(text: str) -> None:
    """Check how much a YAML holds once its aliases are written out, without doing so, and that no key stands twice.

    Of two sections of one name, PyYAML would drop the first in silence.

    Raises:
        yaml.YAMLError: If it is not valid YAML, is deeper than `MAX_DEPTH`, holds more than `MAX_NODES` values,
            contains itself, or has a key twice.
    """
    # Anchor, size and depth of every collection that is open; the first stands for the document.
    opened: list[_Node] = [_Node(None)]
    anchored: dict[str | None, _Node] = {}
    for event in yaml.parse(text, Loader=_Parser):
        if isinstance(event, yaml.CollectionStartEvent):
            opened.append(_Node(event.anchor, is_mapping=isinstance(event, yaml.MappingStartEvent)))
            _require(len(opened) - 1 <= MAX_DEPTH, f"it is nested more than {MAX_DEPTH} levels deep")
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            whole = opened.pop()
            anchored[whole.anchor] = whole
        elif isinstance(event, yaml.ScalarEvent):
            _require(opened[-1].takes(event.value), f"the key {event.value!r} stands twice in one mapping")
            whole = _Node(event.anchor)
            anchored[whole.anchor] = whole
        elif isinstance(event, yaml.AliasEvent):
            _require(all(size.anchor != event.anchor for size in opened), f"&{event.anchor} contains itself")
            whole = anchored.get(event.anchor, _Node(None))
        else:
            continue
        opened[-1].add(whole)
        _require(opened[-1].num_nodes <= MAX_NODES, f"it holds more than {MAX_NODES:,} values")
        _require(len(opened) - 1 + whole.depth <= MAX_DEPTH, f"it is nested more than {MAX_DEPTH} levels deep")


class _Node:
    """How many values something holds and how deep it is, itself counted; of a mapping, its keys as well."""

    def __init__(self, anchor: str | None, *, is_mapping: bool = False) -> None:
        self.anchor = anchor
        self.num_nodes = 1
        self.depth = 1
        self._is_mapping = is_mapping
        self._num_inner = 0
        self._keys: set[str] = set()

    def takes(self, scalar: str) -> bool:
        """Whether a scalar may come next: keys and values take turns, and no key comes twice."""
        is_key = self._is_mapping and self._num_inner % 2 == 0
        is_new = scalar not in self._keys
        if is_key:
            self._keys.add(scalar)
        return is_new or not is_key

    def add(self, inner: _Node) -> None:
        self._num_inner += 1
        self.num_nodes += inner.num_nodes
        self.depth = max(self.depth, inner.depth + 1)


def _require(holds: bool, fault: str) -> None:
    if not holds:
        raise yaml.YAMLError(fault)
