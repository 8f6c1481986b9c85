"""Every source of samples by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from ae_lightning.checks import require_at_least
from ae_lightning.data.digits import read_digits
from ae_lightning.data.faults import OnError
from ae_lightning.data.folder import read_folder
from ae_lightning.data.memory import OnDevice
from ae_lightning.data.npz import read_npz
from ae_lightning.data.splits import DataSet
from ae_lightning.data.torchvision_sets import TORCHVISION_SETS, read_torchvision_set
from ae_lightning.errors import ConfigError, unknown_name


class Place(NamedTuple):
    """Where a source finds its samples, and how it divides and sizes them.

    Attributes:
        root: Folder of the torchvision sets.
        path: The folder or file of a source that is the user's own; the working directory for the others.
        image_size: Height and width to resize to, in pixels; None leaves it to the source.
        split_seed: Fixes the test split of a source that has none of its own.
        on_error: What becomes of files that cannot be read.
        follow_links: Whether links to what lies outside of a folder are followed.
    """

    root: Path
    path: Path
    image_size: int | None
    split_seed: int
    on_error: OnError = "raise"
    follow_links: bool = False


def _read_torchvision_set(name: str, place: Place) -> DataSet:
    return read_torchvision_set(name, place.root)


def _read_folder(place: Place) -> DataSet:
    return read_folder(place.path, place.image_size, place.split_seed, place.on_error, place.follow_links)


SOURCES: Mapping[str, Callable[[Place], DataSet]] = MappingProxyType(
    {
        "digits": lambda place: read_digits(place.split_seed),
        **{name: partial(_read_torchvision_set, name) for name in TORCHVISION_SETS},
        "folder": _read_folder,
        "npz": lambda place: read_npz(place.path),
    }
)
STREAM = "stream"
"""The source whose train split stays on disk: none of those that are read into memory."""

SOURCES_WITH_PATH = ("folder", "npz", STREAM)


def check_source(name: str, path: str | None, image_size: int | None) -> None:
    """Check that a source exists and that its settings belong to it.

    Args:
        name: The source.
        path: The setting ``data.path``.
        image_size: The setting ``data.image_size``.

    Raises:
        ConfigError: If the name is unknown, or a setting is missing, out of range or of another source.
    """
    known = (*SOURCES, STREAM)
    if name not in known:
        raise ConfigError(unknown_name("data.name", name, known))
    if name in SOURCES_WITH_PATH and not path:
        raise ConfigError(f"data.path must say where the samples are when data.name is {name}")
    if name not in SOURCES_WITH_PATH and path is not None:
        raise ConfigError(f"data.path is for {', '.join(SOURCES_WITH_PATH)} only; data.name is {name}")
    if image_size is not None and name != "folder":
        raise ConfigError(f"data.image_size is for folder only; data.name is {name}")
    if image_size is not None:
        require_at_least("data.image_size", image_size)


def check_stream_settings(
    num_val: int | None, split_seed: int, leave_out_class: int | str | None, on_device: OnDevice
) -> None:
    """Refuse what is settled when a stream is written.

    Raises:
        ConfigError: If one of these settings of the data module is given.
    """
    given = {
        "num_val": num_val is not None,
        "split_seed": split_seed != 0,
        "leave_out_class": leave_out_class is not None,
    }
    for key, is_set in given.items():
        if is_set:
            raise ConfigError(f"data.{key} is not for stream, whose splits `convert` made: give it to that command")
    if on_device is True:
        raise ConfigError("data.on_device: true is not for stream, whose train split stays on disk; auto is allowed")


def load_data(
    name: str,
    *,
    root: str | Path,
    path: str | Path | None,
    image_size: int | None,
    split_seed: int,
    on_error: OnError = "raise",
    follow_links: bool = False,
) -> DataSet:
    """Read a data set.

    Args:
        name: The source, one of ``SOURCES``.
        root: Folder of the torchvision sets.
        path: The folder or file of ``folder`` and ``npz``; None for the others.
        image_size: Height and width that ``folder`` resizes to, in pixels; None for its most common size.
        split_seed: Fixes the test split of a source that has none of its own.
        on_error: What becomes of images of ``folder`` that cannot be read: ``raise`` or ``skip``.
        follow_links: Whether ``folder`` follows links to what lies outside of it.

    Returns:
        The train and test samples.

    Raises:
        ConfigError: If the name is unknown, or a setting is missing or does not belong to the source.
        DataError: If the samples are missing or damaged.
    """
    check_source(name, None if path is None else str(path), image_size)
    if name == STREAM:
        raise ConfigError("data.name stream stays on disk: it is not read into memory")
    place = Place(
        Path(root).expanduser(), Path(path or ".").expanduser(), image_size, split_seed, on_error, follow_links
    )
    return SOURCES[name](place)
