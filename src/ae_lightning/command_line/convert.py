"""`convert`: any data set on disk, for `data.name: stream`, which trains on more samples than memory holds."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ae_lightning.checks import expanded
from ae_lightning.command_line.commands import CommandParser
from ae_lightning.command_line.outputs import refusal_of_output
from ae_lightning.errors import ConfigError
from ae_lightning.whole_files import replacing

if TYPE_CHECKING:
    from rich.console import Console

EPILOG = (
    "A folder is read block by block, whatever its size; another source is read into memory. The samples to train on "
    "are stored in random order. An output that exists is not overwritten; what a conversion that is killed leaves is "
    "taken for whole by nothing, and removed by the next one."
)


def run(arguments: list[str]) -> int:
    """Convert a data set.

    Args:
        arguments: Of the command line, without the command.

    Returns:
        The exit code.

    Raises:
        UserError: If the samples or the settings cannot be used, or the output exists or cannot be written.
    """
    options = vars(parser().parse_args(arguments))
    output = expanded("convert: --output", options.pop("output"))
    # So that --help need not wait for torch.
    from rich.console import Console

    from ae_lightning.command_line.launch import prepare
    from ae_lightning.data.datamodule import DataModule
    from ae_lightning.data.source import STREAM
    from ae_lightning.data.store.conversion import convert

    prepare()
    data = DataModule(**{key.removeprefix("data."): value for key, value in options.items()})
    if data.name == STREAM:
        raise ConfigError(f"convert: {data.path} is a stream already")
    if output.exists():
        raise ConfigError(f"convert: --output: {output} exists already; it is not overwritten")
    refused = partial(refusal_of_output, "convert: --output", output)
    with ExitStack() as writing:
        with refused():
            output.parent.mkdir(parents=True, exist_ok=True)
            folder = writing.enter_context(replacing(output, overwrites=False))
            folder.mkdir()

        def begin(line: str) -> None:
            _tell(Console(stderr=True), line)
            # Not before: a source, which may be the user's own, opens other files.
            writing.enter_context(refused())

        description = convert(data, folder, tell=begin)
        with refused():
            writing.close()
    sizes = ", ".join(f"{count:,} {name}" for name, count in description.num_samples.items())
    skipped = f"; {description.num_skipped:,} damaged files left out" if description.num_skipped else ""
    _tell(Console(), f"{sizes} in {output}{skipped}")
    return 0


def _tell(console: Console, line: str) -> None:
    console.print(line, highlight=False, soft_wrap=True, markup=False)


def parser() -> CommandParser:
    """Return the parser of the command line."""
    made = CommandParser(
        "convert",
        description="Write a data set on disk, for --data.name stream.",
        epilog=EPILOG,
        argument_default=argparse.SUPPRESS,
    )
    made.add_argument("--output", metavar="DIR", type=Path, required=True, help="the folder to make")
    for key, settings in _DATA_KEYS.items():
        made.add_argument(f"--data.{key}", **settings)
    return made


def _truth(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"must be true or false, not {text}")
    return text.lower() == "true"


def _folders(text: str) -> dict[str, str]:
    return {key: str(value) for key, value in _mapping(text, "{train: DIR, test: DIR}").items()}


def _options(text: str) -> dict[str, Any]:
    return _mapping(text, "{split: letters}")


def _mapping(text: str, example: str) -> dict[str, Any]:
    import yaml

    from ae_lightning.command_line.yaml_text import load_yaml

    try:
        read = load_yaml(text)
    except yaml.YAMLError:
        read = None
    if not isinstance(read, dict):
        raise argparse.ArgumentTypeError(f"must be a mapping, as {example}, not {text}")
    return {str(key): value for key, value in read.items()}


def _class(text: str) -> int | str:
    is_number = text.isdecimal() and str(int(text)) == text  # 003 is a name
    return int(text) if is_number else text


_DATA_KEYS: dict[str, dict[str, Any]] = {
    "name": {
        "required": True,
        "metavar": "NAME",
        "help": "digits, mnist, fashion_mnist, kmnist, cifar10, torchvision, folder, huggingface, npz, table",
    },
    "path": {"metavar": "PATH", "help": "the tree of images of folder, the file of npz or table, or as for fit"},
    "dataset": {"metavar": "CLASS", "help": "which set of torchvision, such as SVHN"},
    "dataset_options": {"type": _options, "metavar": "MAP", "help": "'{split: letters}', its further arguments"},
    "image_column": {"metavar": "NAME", "help": "the column of images of huggingface (default: its type tells)"},
    "label_column": {"metavar": "NAME", "help": "the column of labels of huggingface (default: its type tells)"},
    "target": {"metavar": "NAME", "help": "the column of labels of table (default: none)"},
    "missing": {"choices": ("mean", "drop"), "help": "what becomes of missing values of table (default: refused)"},
    "root": {"metavar": "DIR", "help": "folder of the torchvision sets (default: as for fit)"},
    "image_size": {"type": int, "metavar": "N", "help": "height and width that images in files are resized to"},
    "resize": {"choices": ("squash", "crop", "pad"), "help": "what becomes of other aspect ratios (default: a rule)"},
    "splits": {
        "type": _folders,
        "metavar": "MAP",
        "help": "'{train: DIR, val: DIR, test: DIR}', below the path",
    },
    "labels": {"choices": ("folders", "none"), "help": "whether folders of folder are classes (default: they say so)"},
    "num_val": {
        "type": int,
        "metavar": "N",
        "help": "samples to hold out for validation (default: a tenth, at most 5,000)",
    },
    "split_seed": {"type": int, "metavar": "N", "help": "fixes the splits and the stored order (default: 0)"},
    "leave_out_class": {"type": _class, "metavar": "CLASS", "help": "a class that is in the test split alone"},
    "on_error": {"choices": ("raise", "skip"), "help": "what becomes of images in files that cannot be read"},
    "follow_links": {"type": _truth, "metavar": "BOOL", "help": "whether folder follows links that lead out of it"},
}
"""Those of `DataModule` that say which images there are and how they are divided."""
