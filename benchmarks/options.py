"""The options that the drivers have in common."""

from __future__ import annotations

import argparse
import os
from pathlib import Path


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
    parser.add_argument("--output", type=Path, help="file for everything that was measured, as JSON")
    parser.add_argument("--markdown", type=Path, help="file for the tables (default: standard output)")
    return parser


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
