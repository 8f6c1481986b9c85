"""The configurations and studies that come with this package, found by their names."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from ae_lightning.errors import ConfigError

Kind = Literal["configuration", "study"]

FOLDERS: dict[Kind, str] = {"configuration": "configs", "study": "sweeps"}

COMMANDS: dict[Kind, str] = {"configuration": "fit", "study": "sweep"}
"""What takes them as its `-c`."""

SUFFIX = ".yaml"


def package_folder(kind: Kind) -> Path:
    """Return the folder of the configurations or of the studies.

    An installed package has it inside; a checkout, and what is installed from one as editable, at the checkout's root.
    """
    package = Path(__file__).parent
    inside = package / FOLDERS[kind]
    return inside if inside.is_dir() else package.parents[1] / FOLDERS[kind]


def names(kind: Kind) -> list[str]:
    """Return every name there is, such as `vae` and `data/mnist`."""
    folder = package_folder(kind)
    return sorted(path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob(f"*{SUFFIX}"))


def find_file(kind: Kind, given: str | Path, key: str = "-c") -> Path:
    """Return the file that a path or a name stands for.

    Args:
        kind: What it is to hold.
        given: A file, which wins over a name; or a name, such as `vae`, `data/mnist`, or `conv` of a study.
        key: What gave it, for the error.

    Raises:
        ConfigError: If it is neither; the message has the nearest that is there.
    """
    path = Path(given)
    # A pipe is one too.
    if path.exists() and not path.is_dir():
        return path
    named = named_file(kind, path)
    if named is None:
        raise ConfigError(f"{key}: {_missing(kind, path)}")
    return named


def named_file(kind: Kind, name: str | Path) -> Path | None:
    """Return the file that a name stands for, whatever else is called so; None where it is no name."""
    bare = _without_suffix(name)
    return package_folder(kind) / f"{bare}{SUFFIX}" if bare in names(kind) else None


def _without_suffix(name: str | Path) -> str:
    return Path(name).as_posix().removesuffix(SUFFIX)


def said_of(kind: Kind, given: Sequence[str], found: Sequence[str]) -> str:
    """Say in one line which files were found by name.

    Args:
        kind: What they hold.
        given: What was given.
        found: The paths in their places.

    Returns:
        The line with its end; nothing where each is the file that was given.
    """
    by_name = [name for name, path in zip(given, found, strict=True) if name != path]
    return f"{kind} of ae_lightning: {', '.join(by_name)} (in {package_folder(kind)})\n" if by_name else ""


def _missing(kind: Kind, path: Path) -> str:
    name = _without_suffix(path)
    for other, command in COMMANDS.items():
        if name in names(other):
            return f"{str(path)!r} is a {other}; `{command} -c {name}` takes it"
    what = "is a folder" if path.is_dir() else "is no file"
    near = _nearest(path, name, names(kind))
    hint = f"did you mean {near!r}? " if near else ""
    every = ", ".join(names(kind))
    return f"{str(path)!r} {what}, and no {kind} of that name comes with ae_lightning; {hint}Names: {every}"


def _nearest(path: Path, name: str, known: Sequence[str]) -> str | None:
    """Return a file beside the path that is called nearly so, or a name that is nearly its or the end of its."""
    beside = {file.stem: file for file in path.parent.glob(f"*{SUFFIX}") if file.is_file()}
    for stem in difflib.get_close_matches(path.stem, beside, n=1):
        return str(beside[stem])
    steps = name.split("/")
    ends = ["/".join(steps[start:]) for start in range(len(steps))]
    return next((near for end in ends for near in difflib.get_close_matches(end, known, n=1)), None)
