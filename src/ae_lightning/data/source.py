"""Where samples come from: each source is one class, found in its folder or by its dotted path."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import ClassVar, NamedTuple

from ae_lightning.data.image_folder.settings import FolderReading
from ae_lightning.data.memory import OnDevice
from ae_lightning.data.splits import DataSet
from ae_lightning.data.store.cache import DataCache
from ae_lightning.errors import ConfigError, unknown_name
from ae_lightning.parts import find_parts, import_part

STREAM = "stream"
"""The source whose train split stays on disk: none of those that are read into memory."""


class Place(NamedTuple):
    """Where a source finds its samples, and how it divides and reads them.

    Attributes:
        root: Folder of the torchvision sets.
        path: The folder or file of a source that is the user's own; the working directory for the others.
        split_seed: Fixes the test split of a source that has none of its own.
        reading: How a folder of images is read.
        cache: Where the decoded images of a folder are kept.
    """

    root: Path
    path: Path
    split_seed: int
    reading: FolderReading
    cache: DataCache


class Source(ABC):
    """A data set, or a kind of file that holds one.

    Attributes:
        name: What `data.name` calls it.
        takes_path: Whether `data.path` says where it is; without, a path is refused.
        is_folder: Whether it reads a folder of images as `Place.reading` says; without, these settings are refused.
        is_published: Whether everybody has the same one, of which `data.num_val` holds out 5,000 at most by default.
    """

    name: ClassVar[str]
    takes_path: ClassVar[bool] = False
    is_folder: ClassVar[bool] = False
    is_published: ClassVar[bool] = False

    @abstractmethod
    def read(self, place: Place) -> DataSet:
        """Read the train and test samples.

        Args:
            place: What the data module's settings say.

        Raises:
            DataError: If the samples are missing or damaged.
        """


@cache
def known_sources() -> Mapping[str, Source]:
    """Return this package's sources by name."""
    found = find_parts("ae_lightning.data.sources", Source)
    return {cls.name: cls() for cls in found.values()}


def find_source(name: str) -> Source:
    """Return a source of this package by its name, or one's own by its dotted path.

    Raises:
        ConfigError: If there is none.
    """
    known = known_sources()
    if name in known:
        return known[name]
    if "." not in name:
        raise ConfigError(unknown_name("data.name", name, (*known, STREAM)))
    return import_part("data.name", name, Source)()  # type: ignore[type-abstract]


def check_source(name: str, path: str | None, reading: FolderReading) -> None:
    """Check that a source exists and that its settings belong to it.

    Args:
        name: The source.
        path: The setting ``data.path``.
        reading: The settings of folders of images.

    Raises:
        ConfigError: If the name is unknown, or a setting is missing or of another source.
    """
    source = None if name == STREAM else find_source(name)
    takes_path, is_folder = (True, False) if source is None else (source.takes_path, source.is_folder)
    if takes_path and not path:
        raise ConfigError(f"data.path must say where the samples are when data.name is {name}")
    if not takes_path and path is not None:
        takers = [other.name for other in known_sources().values() if other.takes_path]
        raise ConfigError(f"data.path is for {', '.join((*takers, STREAM))} only; data.name is {name}")
    for key in (one.name for one in fields(reading) if getattr(reading, one.name) != one.default):
        # A checkpoint of a folder brings this one to whatever it is judged on.
        if not is_folder and key != "resize":
            raise ConfigError(f"data.{key} is for folder only; data.name is {name}")


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
    split_seed: int,
    reading: FolderReading | None = None,
    cache: DataCache | None = None,
) -> DataSet:
    """Read a data set.

    Args:
        name: The source: one of this package's, or the dotted path of one's own.
        root: Folder of the torchvision sets.
        path: The folder or file of a source that takes one; None for the others.
        split_seed: Fixes the test split of a source that has none of its own.
        reading: How a folder of images is read; None for all defaults.
        cache: Where the decoded images of a folder are kept; None keeps none.

    Returns:
        The samples of each split, with keys.

    Raises:
        ConfigError: If the name is unknown, or a setting is missing or does not belong to the source.
        DataError: If the samples are missing or damaged.
    """
    reading = reading or FolderReading()
    check_source(name, None if path is None else str(path), reading)
    if name == STREAM:
        raise ConfigError("data.name stream stays on disk: it is not read into memory")
    cache = cache or DataCache(None)
    place = Place(Path(root).expanduser(), Path(path or ".").expanduser(), split_seed, reading, cache)
    return find_source(name).read(place).with_keys()
