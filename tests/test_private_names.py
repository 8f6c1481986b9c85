"""Private names of other libraries: none but those that are listed, and each with a test of what depends on it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from private_names import PRIVATE_NAMES, SEEN_IN

TESTS = Path(__file__).parent
SOURCES = TESTS.parent / "src" / "ae_lightning"
OF_TUPLES = {"_asdict", "_fields", "_make", "_replace"}
"""Documented parts of named tuples, with underscores lest they be taken for fields."""

SHARED = {"_stage", "_trial_id"}
"""Names of attributes and functions of ours too."""


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in OF_TUPLES


def own_names(tree: ast.Module) -> set[str]:
    """Private names that a file defines: functions, classes, variables and attributes of its instances."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == "self":
            names.add(node.attr)
    return names


def used_names(tree: ast.Module) -> set[str]:
    """Private names that a file takes from elsewhere, this package or others."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            names.add(node.attr)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            parts = [(alias.name, f"{module}.{alias.name}") for alias in node.names]
            is_private_module = any(map(is_private, module.split(".")))
            # A private module counts with its library, a private class by its own name.
            names |= {
                path if is_private_module or module == "jsonargparse" else name
                for name, path in parts
                if is_private_module or is_private(name)
            }
    return names


def test_all_that_is_used_is_listed_and_all_that_is_listed_is_used():
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES.rglob("*.py")]
    own = set[str]().union(*map(own_names, trees)) - SHARED
    assert set[str]().union(*map(used_names, trees)) - own == set(PRIVATE_NAMES)


@pytest.mark.parametrize("name", PRIVATE_NAMES)
def test_each_is_said_whose_it_is_and_has_its_test(name):
    listed = PRIVATE_NAMES[name]
    assert listed.library in SEEN_IN
    assert listed.use
    file, _, test = listed.test.partition("::")
    assert f"def {test}" in (TESTS / file).read_text(encoding="utf-8")
