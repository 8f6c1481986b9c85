"""What was measured, written to where the command line says."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from typing import Any


def write_findings(options: argparse.Namespace, found: Mapping[str, Any], text: str) -> None:
    """Write everything as JSON to `--output`, and the tables to `--markdown` or the standard output.

    Args:
        options: Those of `driver_parser`.
        found: Everything that was measured.
        text: The tables, as Markdown.
    """
    if options.output is not None:
        options.output.write_text(json.dumps(found, indent=2, default=str) + "\n", encoding="utf-8")
    if options.markdown is not None:
        options.markdown.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
