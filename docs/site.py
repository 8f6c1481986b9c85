"""What the site shows of files outside of `docs/`: the README as its first page, examples, the project's own pages."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = "examples"

PAGES = {
    "index.md": "README.md",
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
    "security.md": "SECURITY.md",
}
"""Pages by the files of the project's root that they show."""

REFERENCES = {
    "src/ae_lightning/networks": "reference/networks.md",
    "src/ae_lightning/priors": "reference/samplers.md",
    "src/ae_lightning/samplers": "reference/samplers.md",
}
"""Pages that stand for folders of the package."""

_LINK = re.compile(r"(?<=\]\()(?!https?:|#)([^)#\s]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each file that the site shows."""
    shown = {page: (ROOT / name).read_text(encoding="utf-8") for page, name in PAGES.items()}
    rows = []
    for path in sorted((ROOT / EXAMPLES).glob("*.py")):
        text = path.read_text(encoding="utf-8")
        said = (ast.get_docstring(ast.parse(text)) or "").split("\n\n")[0]
        shown[f"{EXAMPLES}/{path.stem}.md"] = f"# {path.name}\n\n{said}\n\n```python\n{text}```\n"
        rows.append(f"- [{path.name}]({path.stem}.md): {' '.join(said.split())}")
    listed = "\n".join(rows)
    shown[f"{EXAMPLES}/index.md"] = (
        f"# Examples\n\nParts of one's own, each in a file outside the package, and tested.\n\n{listed}\n"
    )
    for page, text in shown.items():
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Let links to files that the site shows elsewhere lead there."""
    source = page.file.src_uri
    is_of_root = source in PAGES
    folder = ROOT if is_of_root else (ROOT / "docs" / source).parent
    depth = 0 if is_of_root else source.count("/")

    def target(found: re.Match[str]) -> str:
        path = (folder / found[1]).resolve()
        if not path.is_relative_to(ROOT):
            return found[1]
        place = _page_of(path.relative_to(ROOT).as_posix())
        return found[1] if place is None else f"{'../' * depth}{place}"

    return _LINK.sub(target, markdown)


def _page_of(path: str) -> str | None:
    """Return the page that shows a file of the project; None for one that is no other than it was."""
    for page, name in PAGES.items():
        if path == name:
            return page
    for folder, page in REFERENCES.items():
        if path.startswith(folder):
            return page
    if path.endswith(".ipynb"):
        return f"{path.removeprefix('docs/').removesuffix('.ipynb')}.md"
    if path == EXAMPLES:
        return f"{EXAMPLES}/index.md"
    if path.startswith(f"{EXAMPLES}/"):
        return f"{path.removesuffix('.py')}.md"
    return path.removeprefix("docs/") if path.startswith("docs/") else None
