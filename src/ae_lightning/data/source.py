"""Where samples come from: each source is one class, found in its folder or by its dotted path."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import ClassVar, NamedTuple

from ae_lightning.checks import require_at_least
from ae_lightning.data.faults import OnError
from ae_lightning.data.memory import OnDevice
from ae_lightning.data.splits import DataSet
from ae_lightning.errors import ConfigError, unknown_name
from ae_lightning.parts import find_parts, import_part

STREAM = "stream"
"""The source whose train split stays on disk: none of those that are read into memory."""


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


class Source(ABC):
    """A data set, or a kind of file that holds one.

    Attributes:
        name: What `data.name` calls it.
        takes_path: Whether `data.path` says where it is; without, a path is refused.
        takes_size: Whether it resizes images to `data.image_size`.
        is_published: Whether everybody has the same one, of which `data.num_val` holds out 5,000 at most by default.
    """

    name: ClassVar[str]
    takes_path: ClassVar[bool] = False
    takes_size: ClassVar[bool] = False
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


def check_source(name: str, path: str | None, image_size: int | None) -> None:
    """Check that a source exists and that its settings belong to it.

    Args:
        name: The source.
        path: The setting ``data.path``.
        image_size: The setting ``data.image_size``.

    Raises:
        ConfigError: If the name is unknown, or a setting is missing, out of range or of another source.
    """
    source = None if name == STREAM else find_source(name)
    takes_path, takes_size = (True, False) if source is None else (source.takes_path, source.takes_size)
    if takes_path and not path:
        raise ConfigError(f"data.path must say where the samples are when data.name is {name}")
    if not takes_path and path is not None:
        takers = [other.name for other in known_sources().values() if other.takes_path]
        raise ConfigError(f"data.path is for {', '.join((*takers, STREAM))} only; data.name is {name}")
    if image_size is not None and not takes_size:
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
        name: The source: one of this package's, or the dotted path of one's own.
        root: Folder of the torchvision sets.
        path: The folder or file of a source that takes one; None for the others.
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
    return find_source(name).read(place)
