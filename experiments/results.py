"""Write the tables of `docs/results.md` and `docs/limits.md` from the runs that `reproduce.py` left in MLflow."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from ae_lightning.errors import ConfigError
from experiments.tables import (
    Runs,
    applications,
    bagul,
    codecs,
    eftimiades,
    gaps,
    measures,
    novelty,
    two_dimensions,
)

DOCS = Path(__file__).parent.parent / "docs"
PAGES = ("results.md", "limits.md")

TABLES: dict[str, Callable[[Runs], str]] = {
    "eftimiades": eftimiades,
    "measures": measures,
    "gaps": gaps,
    "applications": applications,
    "novelty": novelty,
    "bagul": bagul,
    "codecs": codecs,
    "two_dimensions": two_dimensions,
}
"""Tables by the name that stands in the page: `<!-- table NAME -->`, the table, `<!-- end -->`."""

_TABLE = re.compile(r"(<!-- table (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fill the tables in; one that runs are missing for says which.

    Returns:
        The exit code: 1 if runs are missing.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--docs", type=Path, default=DOCS, help="folder of the pages (default: docs)")
    folder = parser.parse_args(arguments).docs
    runs, missing = Runs(), []
    for path in (folder / page for page in PAGES):
        page, said = filled(path.read_text(encoding="utf-8"), runs)
        path.write_text(page, encoding="utf-8")
        missing += said
    sys.stderr.writelines(f"{line}\n" for line in dict.fromkeys(missing))
    return 1 if missing else 0


def filled(page: str, runs: Runs) -> tuple[str, list[str]]:
    """Return a page with its tables made anew, and what is missing for the others."""
    missing = []

    def table(found: re.Match[str]) -> str:
        try:
            content = TABLES[found[2]](runs)
        except ConfigError as error:
            missing.append(str(error))
            content = f"*{error}.*\n"
        return f"{found[1]}\n{content}\n{found[3]}"

    return _TABLE.sub(table, page), missing


if __name__ == "__main__":
    sys.exit(main())
