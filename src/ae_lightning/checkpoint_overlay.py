"""What a checkpoint says, as the first and therefore weakest layer of the configuration.

`test --ckpt_path X` alone then restores model and data as trained, and whatever the command line or a later
configuration file says beats it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from ae_lightning.checkpoints import CheckpointContents, read_checkpoint

LIGHTNING_KEYWORDS = ("best", "last", "hpc")
"""Values of `--ckpt_path` that name no file."""


@contextmanager
def with_checkpoint_overlay(arguments: Sequence[str]) -> Iterator[list[str]]:
    """Put the configuration of the checkpoint that the arguments name, if any, below everything else.

    Args:
        arguments: Of the command line, the subcommand first.

    Yields:
        The arguments to parse.

    Raises:
        CheckpointError: If the checkpoint cannot be read.
    """
    path = find_option(arguments, "--ckpt_path")
    if not arguments or path is None or path in LIGHTNING_KEYWORDS:
        yield list(arguments)
        return
    subcommand, *rest = arguments
    with overlay_file(overlay(read_checkpoint(path), subcommand)) as file:
        yield [subcommand, "-c", str(file), *rest]


@contextmanager
def overlay_file(config: dict[str, Any]) -> Iterator[Path]:
    """Write a configuration where `-c` can read it, for as long as the context lasts."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "checkpoint.yaml")
        file.write_text(yaml.safe_dump(config))
        yield file


def overlay(contents: CheckpointContents, subcommand: str) -> dict[str, Any]:
    """Return the configuration that restores model, data and seed; outside `fit`, the run to log to as well."""
    config: dict[str, Any] = {"seed_everything": contents.seed, "model": contents.model, "data": contents.data}
    if subcommand != "fit" and contents.run_id is not None:
        config["trainer"] = {
            "logger": {"class_path": "ae_lightning.tracking.MLflowTracker", "init_args": {"run_id": contents.run_id}}
        }
    return config


def find_option(arguments: Sequence[str], option: str) -> str | None:
    """Return the value of an option, given as `--option value` or `--option=value`; the last one counts."""
    value = None
    for position, argument in enumerate(arguments):
        if argument == option and position + 1 < len(arguments):
            value = arguments[position + 1]
        elif argument.startswith(f"{option}="):
            value = argument.removeprefix(f"{option}=")
    return value
