"""Where samples come from: each source is one class, found in its folder or by its dotted path."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import ClassVar, NamedTuple

from ae_lightning.checks import expanded
from ae_lightning.data.memory import OnDevice
from ae_lightning.data.source_settings import SourceSettings
from ae_lightning.data.splits import DataSet
from ae_lightning.data.store.cache import DataCache
from ae_lightning.errors import ConfigError, unknown_name
from ae_lightning.parts import find_parts, import_part

STREAM = "stream"
"""The source whose train split stays on disk: none of those that are read into memory."""

STREAM_TAKES = frozenset({"path"})


class Place(NamedTuple):
    """Where a source finds its samples, and how it divides and reads them.

    Attributes:
        root: Folder of the torchvision sets.
        path: The folder or file of a source that is the user's own; the working directory for the others.
        split_seed: Fixes the test split of a source that has none of its own.
        settings: What else the user says, of which a source has what it takes.
        cache: Where decoded images are kept.
    """

    root: Path
    path: Path
    split_seed: int
    settings: SourceSettings
    cache: DataCache


class Source(ABC):
    """A data set, or a kind of file that holds one.

    Attributes:
        name: What `data.name` calls it.
        takes: The attributes of `SourceSettings` that say something to it; all others are refused. What takes `path`
            needs it.
        is_published: Whether everybody has the same one, of which `data.num_val` holds out 5,000 at most by default.
    """

    name: ClassVar[str]
    takes: ClassVar[frozenset[str]] = frozenset()
    is_published: ClassVar[bool] = False

    def check(self, settings: SourceSettings) -> None:  # noqa: B027 - most have nothing to check
        """Refuse settings that cannot be meant, before anything is read.

        Args:
            settings: Those that it takes; the others are as they are by default.

        Raises:
            ConfigError: If one cannot.
        """

    def called(self, settings: SourceSettings) -> str:
        """Return what the data set is called: by default as the user's own folder or file, or as the source."""
        return self.name if settings.path is None else Path(settings.path).expanduser().resolve().name

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


def takers_of(setting: str) -> str:
    """Return the names of this package's sources that take a setting, in words."""
    takes = {**{source.name: source.takes for source in known_sources().values()}, STREAM: STREAM_TAKES}
    return ", ".join(name for name, taken in takes.items() if setting in taken)


def check_source(name: str, settings: SourceSettings) -> None:
    """Check that a source exists and that its settings belong to it.

    Args:
        name: The source.
        settings: All that a user says of what is read.

    Raises:
        ConfigError: If the name is unknown, or a setting is missing or of another source.
    """
    source = None if name == STREAM else find_source(name)
    takes = STREAM_TAKES if source is None else source.takes
    if "path" in takes and not settings.path:
        raise ConfigError(f"data.path must say where the samples are when data.name is {name}")
    expanded("data.path", settings.path or "")
    for key in settings.given:
        # A checkpoint of images of several sizes brings this one to whatever it is judged on.
        if key not in takes and key != "resize":
            raise ConfigError(f"data.{key} is for {takers_of(key)} only; data.name is {name}")
    if source is not None:
        source.check(settings)


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
    settings: SourceSettings | None = None,
    *,
    root: str | Path = "data",
    split_seed: int = 0,
    cache: DataCache | None = None,
) -> DataSet:
    """Read a data set.

    Args:
        name: The source: one of this package's, or the dotted path of one's own.
        settings: What else says which samples are read, and how; None for all defaults.
        root: Folder of the torchvision sets.
        split_seed: Fixes the test split of a source that has none of its own.
        cache: Where decoded images are kept; None keeps none.

    Returns:
        The samples of each split, with keys.

    Raises:
        ConfigError: If the name is unknown, or a setting is missing or does not belong to the source.
        DataError: If the samples are missing or damaged.
    """
    settings = settings or SourceSettings()
    check_source(name, settings)
    if name == STREAM:
        raise ConfigError("data.name stream stays on disk: it is not read into memory")
    path, cache = expanded("data.path", settings.path or "."), cache or DataCache(None)
    return find_source(name).read(Place(expanded("data.root", root), path, split_seed, settings, cache)).with_keys()
