"""How many lines the mechanisms around the core take, in 0.1 and now: without blank lines, comments and docstrings.

    git archive 5a8d8fe src | tar x -C ../before
    python -m benchmarks.lines --before ../before/src/ae_lightning

A mechanism is the files that keep one kind of promise, wherever they lie; a folder stands for all files in it. Files
that keep a promise which 0.1 did not make are counted apart.
"""

from __future__ import annotations

import argparse
import ast
import io
import sys
import tokenize
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from benchmarks.tables import markdown_table

PACKAGE = Path(__file__).parent.parent / "src" / "ae_lightning"

_NOT_CODE = (
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER),
    tokenize.ENCODING,
)


class Mechanism(NamedTuple):
    """A promise, and the files that kept it and that keep it.

    Attributes:
        name: What it does.
        before: Files and folders of 0.1.
        now: Those of today that keep the same promise.
        added: Those that keep one that 0.1 did not make.
    """

    name: str
    before: str
    now: str
    added: str = ""


MECHANISMS = (
    Mechanism(
        "what waits for MLflow",
        "tracking/spool tracking/writer tracking/delivery tracking/undelivered tracking/left_behind "
        "tracking/operations command_line/sync",
        "tracking/spool tracking/writer tracking/delivery tracking/leftover_spools tracking/mlflow_writes "
        "command_line/sync",
    ),
    Mechanism(
        "samples on disk (besides: what was decoded is kept)",
        "data/streaming/ command_line/convert",
        "data/store/arrays data/store/conversion data/store/description data/store/fetching data/store/loader "
        "data/store/stream data/store/windows data/store/writing command_line/convert",
        added="data/store/cache",
    ),
    Mechanism(
        "a sweep's processes",
        "sweep/apart sweep/outcome sweep/worker sweep/supervision sweep/devices sweep/trial_cli sweep/heartbeat "
        "sweep/duration sweep/exhaustion",
        "sweep/processes sweep/worker sweep/trial_cli",
    ),
    Mechanism(
        "one line for a wrong configuration",
        "command_line/config_errors command_line/refusals command_line/refused_settings command_line/settings "
        "command_line/short_names command_line/class_changes",
        "command_line/config_errors command_line/class_keys command_line/type_words command_line/unparsed_options "
        "command_line/parsed_settings",
    ),
    Mechanism(
        "image files and memory (besides: more than 8 bits, TIFF's kinds)",
        "data/decoding data/file_search data/faults data/idx_files data/cgroups data/memory",
        "data/image_folder/decoding data/image_folder/search data/image_folder/faults data/arrays/idx_files "
        "data/memory machine/control_groups",
        added="data/image_folder/pixel_formats",
    ),
    Mechanism(
        "which pictures there are",
        "callbacks/pictures callbacks/code_pictures callbacks/pixel_pictures callbacks/filter_pictures "
        "callbacks/subject",
        "judging/picture judging/picture_case",
    ),
    Mechanism(
        "a faster step",
        "training/fused_optimizers training/logged_steps machine/step_overhead machine/allocator machine/compilation",
        "machine/speedups",
    ),
)


def count_lines(path: Path) -> int:
    """Count the lines of a file that hold code.

    Args:
        path: A Python file.
    """
    source = path.read_text(encoding="utf-8")
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _NOT_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


def files_of(package: Path, names: str) -> Iterator[Path]:
    """Yield the files that names stand for.

    Args:
        package: Their folder.
        names: Without suffix, a space between two; a folder ends with `/`.
    """
    for name in names.split():
        if name.endswith("/"):
            yield from sorted((package / name).rglob("*.py"))
        else:
            yield package / f"{name}.py"


def _counted(package: Path, names: str) -> tuple[int, list[str]]:
    counts = {path.relative_to(package): count_lines(path) for path in files_of(package, names)}
    return sum(counts.values()), [f"{path.with_suffix('')} {count}" for path, count in counts.items()]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table.

    Args:
        arguments: Without the program's name; by default those of the process.

    Returns:
        The exit code, 0.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, required=True, help="folder of the package of 0.1")
    options = parser.parse_args(arguments)
    console = Console(highlight=False)
    rows = []
    for mechanism in MECHANISMS:
        before, old = _counted(options.before, mechanism.before)
        now, new = _counted(PACKAGE, mechanism.now)
        besides, _ = _counted(PACKAGE, mechanism.added)
        console.print(f"{mechanism.name}\n  before: {', '.join(old)}\n  now: {', '.join(new)}", markup=False)
        rows.append((mechanism.name, f"{before:,}", f"{now:,}", f"{now / before:.0%}", f"{besides:,}"))
    console.print(markdown_table(("mechanism", "0.1", "now", "share", "besides"), rows), markup=False, soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
