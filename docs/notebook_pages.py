"""The notebooks as pages of the site, with what they showed when they were executed."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

FOLDER = Path(__file__).resolve().parent / "notebooks"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each notebook."""
    for path in sorted(FOLDER.glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        page = f"notebooks/{path.stem}.md"
        files.append(File.generated(config, page, content="\n\n".join(map(_as_markdown, cells))))
    return files


def _as_markdown(cell: dict[str, Any]) -> str:
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        return source
    return "\n\n".join([f"```python\n{source}\n```", *map(_shown, cell["outputs"])])


def _shown(output: dict[str, Any]) -> str:
    """Return an output in the richest form that it has."""
    data = {kind: "".join(value) for kind, value in output.get("data", {}).items()}
    if "image/png" in data:
        content = data["image/png"].replace("\n", "")
        return f'<img alt="what the cell above draws" src="data:image/png;base64,{content}">'
    if "text/markdown" in data:
        # A heading within would be one of the page's own.
        lines = data["text/markdown"].splitlines()
        return "\n".join(f"**{line.lstrip('# ')}**" if line.startswith("#") else line for line in lines)
    if "text/html" in data:
        return (
            f"<div>{' '.join(data['text/html'].splitlines())}</div>" if "<pre" not in data["text/html"] else _text(data)
        )
    return _text(data) if data else _text({"text/plain": "".join(output.get("text", ""))})


def _text(data: dict[str, str]) -> str:
    return f'<pre style="white-space: pre-wrap">{html.escape(data["text/plain"].strip(), quote=False)}</pre>'
