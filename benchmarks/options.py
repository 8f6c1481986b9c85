"""The options that the drivers have in common."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from ae_lightning.errors import UserError
from benchmarks.running import ContenderError


def driver_parser(description: str | None) -> argparse.ArgumentParser:
    """Make a parser with the options of every driver.

    Args:
        description: What the driver does.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=positive, default=5, help="runs of each kind (default: 5)")
    parser.add_argument(
        "--epochs", type=positive, default=3, help="epochs that count, after one of warm-up (default: 3)"
    )
    parser.add_argument(
        "--threads", type=positive, default=os.cpu_count(), help="of each program that is measured (here: %(default)s)"
    )
    _take_files(parser)
    return parser


def in_process_parser(description: str | None) -> argparse.ArgumentParser:
    """Make a parser with the options of what is measured in the process itself.

    Args:
        description: What is measured.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=positive, default=1, help="of this process (default: 1)")
    _take_files(parser)
    return parser


def _take_files(parser: argparse.ArgumentParser) -> None:
    """Take the options that `write_findings` reads."""
    parser.add_argument("--output", type=Path, help="file for everything that was measured, as JSON")
    parser.add_argument("--markdown", type=Path, help="file for the tables (default: standard output)")


def positive(text: str) -> int:
    """Read a whole number of at least 1.

    Raises:
        ArgumentTypeError: If it is none.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not allowed; it must be a whole number of at least 1")
    return int(text)


def side_in_pixels(text: str) -> int:
    """Read a side that two strides of 2 divide, as every contender's base model needs it.

    Raises:
        ArgumentTypeError: If it is none.
    """
    side = positive(text)
    if side % 4:
        raise argparse.ArgumentTypeError(f"{text} is not allowed; it must be a multiple of 4")
    return side


def exit_code_of(driver: Callable[[], int]) -> int:
    """Run a driver, and say what it cannot do in one line.

    Args:
        driver: What to run.

    Returns:
        Its exit code, or 2.
    """
    try:
        return driver()
    except (UserError, ContenderError) as error:
        sys.stderr.write(f"benchmarks: error: {' '.join(str(error).split())}\n")
        return 2
