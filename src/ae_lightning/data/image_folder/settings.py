"""What a user says of how a folder of images is to be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from ae_lightning.checks import require_at_least, require_name
from ae_lightning.data.image_folder.decoding import Resize
from ae_lightning.data.image_folder.faults import OnError
from ae_lightning.data.splits import SplitName
from ae_lightning.errors import ConfigError, unknown_name

FolderLabels = Literal["folders", "none"]

OF_FILES = frozenset({"image_size", "resize", "on_error"})
"""What is to be said of any images in files, each of which may have another size or be damaged."""

OF_A_TREE = frozenset({"splits", "labels", "follow_links"})
"""What is to be said of the folders that they lie in."""


@dataclass(frozen=True)
class FolderReading:
    """How the images below `data.path` are read.

    Attributes:
        image_size: Height and width that they are resized to, in pixels; None for the size that most of them have.
        resize: What becomes of another aspect ratio; None leaves it to what images there are.
        splits: The folder of each split below it; None leaves it to the names of its folders.
        labels: `folders` takes folders for classes, `none` takes none; None where the folders themselves say so.
        on_error: What becomes of files that cannot be read.
        follow_links: Whether links to what lies outside of it are followed.

    Raises:
        ConfigError: If a setting is unknown or out of range.
    """

    image_size: int | None = None
    resize: Resize | None = None
    splits: Mapping[SplitName, str] | None = None
    labels: FolderLabels | None = None
    on_error: OnError = "raise"
    follow_links: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if self.image_size is not None:
            require_at_least("data.image_size", self.image_size)
        if self.resize is not None:
            require_name("data.resize", self.resize, Resize)
        if self.labels is not None:
            require_name("data.labels", self.labels, FolderLabels)
        require_name("data.on_error", self.on_error, OnError)
        if self.splits is not None:
            _check_splits(self.splits)


def _check_splits(splits: Mapping[SplitName, str]) -> None:
    for name in splits:
        if name not in get_args(SplitName):
            raise ConfigError(unknown_name("data.splits", str(name), get_args(SplitName)))
    if "train" not in splits:
        raise ConfigError("data.splits: train is missing; without test or val, some of its samples are held out")
