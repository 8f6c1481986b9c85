"""YAML from users: read as data alone, and refused where it would grow beyond all measure when it is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import yaml

MAX_DEPTH = 60
"""Levels: what reads the values is recursive."""

MAX_NODES = 100_000
"""Values with every alias written out: nine lists of nine aliases each are 387 million."""

_TOO_DEEP = f"it is nested more than {MAX_DEPTH} levels deep"

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
    depth = 0
    for event in yaml.parse(text, Loader=_Parser):  # what makes nodes of them is recursive
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        _require(depth <= MAX_DEPTH, _TOO_DEEP)
    root = yaml.compose(text, Loader=_Parser)
    if root is not None:
        _measure(root, (), {})


def _measure(node: yaml.Node, above: tuple[yaml.Node, ...], known: dict[yaml.Node, tuple[int, int]]) -> tuple[int, int]:
    """Return how many values a node holds, and how deep it is, itself counted.

    Args:
        node: Of the graph: an alias is the node that it stands for.
        above: The nodes that it lies in.
        known: What has been measured; changed.
    """
    _require(node not in above, "an alias contains itself")
    if node not in known:
        inner = [] if isinstance(node, yaml.ScalarNode) else node.value
        if isinstance(node, yaml.MappingNode):
            keys = Counter(key.value for key, _ in inner if isinstance(key, yaml.ScalarNode))
            for key, times in keys.most_common(1):
                _require(times == 1, f"the key {key!r} stands twice in one mapping")
            inner = [one for pair in inner for one in pair]
        sizes = [_measure(one, (*above, node), known) for one in inner]
        known[node] = 1 + sum(num for num, _ in sizes), 1 + max((depth for _, depth in sizes), default=0)
    num, depth = known[node]
    _require(num <= MAX_NODES, f"it holds more than {MAX_NODES:,} values")
    _require(len(above) + depth <= MAX_DEPTH, _TOO_DEEP)
    return num, depth


def _require(holds: bool, fault: str) -> None:
    if not holds:
        raise yaml.YAMLError(fault)
