"""`init`: the package's configurations and studies as files to edit."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from ae_lightning.command_line.commands import CommandParser
from ae_lightning.errors import ConfigError
from ae_lightning.named_files import FOLDERS, SUFFIX, names, package_folder


def run(arguments: list[str]) -> int:
    """Copy them.

    Args:
        arguments: Of the command line, without the command.

    Returns:
        The exit code.

    Raises:
        ConfigError: If one of the folders is there already, or cannot be written.
    """
    folder: Path = parser().parse_args(arguments).folder
    for name in FOLDERS.values():
        if (folder / name).exists():
            raise ConfigError(f"init: {folder / name} exists already; it is not overwritten")
    for kind, name in FOLDERS.items():
        try:
            for file in names(kind):
                copy = folder / name / f"{file}{SUFFIX}"
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes((package_folder(kind) / f"{file}{SUFFIX}").read_bytes())
        except OSError as error:
            raise ConfigError(f"init: {folder / name} cannot be written ({error.strerror})") from error
        sys.stdout.write(f"{folder / name}: {', '.join(names(kind))}\n")
    config, study = (shlex.quote(str(folder / name / example)) for name, example in _EXAMPLES.items())
    sys.stdout.write(f"to use them: python -m ae_lightning fit -c {config}, python -m ae_lightning sweep -c {study}\n")
    return 0


_EXAMPLES = {"configs": f"vae{SUFFIX}", "sweeps": f"conv{SUFFIX}"}


def parser() -> CommandParser:
    """Return the parser of the command line."""
    made = CommandParser(
        "init",
        description="Copy the configurations and studies that come with ae_lightning, to be edited.",
        epilog="Folders that are there already are not overwritten. Without a copy, `fit -c vae` and `sweep -c conv` "
        "take them by name.",
    )
    made.add_argument("folder", metavar="DIR", type=Path, help="where to make the folders configs and sweeps")
    return made
