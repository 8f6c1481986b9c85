"""The page on parts of one's own names every example, and every command that an example gives names what is there."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def test_the_page_names_each_example_and_no_other():
    page = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\.\./examples/(\w+)\.py", page)) == {path.stem for path in EXAMPLES}


def test_links_of_the_page_lead_somewhere():
    page = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\((\.\./[^)]+)\)", page)
    assert links
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_each_example_says_how_to_use_what_it_defines(path):
    named = set(re.findall(rf"\b{path.stem}\.([A-Z]\w+)", path.read_text(encoding="utf-8").split('"""')[1]))
    assert named
    assert all(hasattr(import_module(path.stem), name) for name in named)
