"""What a user says of what a source is to read: each setting belongs to some sources alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from ae_lightning.checks import require_name
from ae_lightning.data.image_folder.settings import FolderReading

Missing = Literal["mean", "drop"]


@dataclass(frozen=True)
class SourceSettings(FolderReading):
    """The settings below `data` that a source takes or refuses, beside those of a folder of images.

    Attributes:
        path: The user's own folder or file, or what a hub calls it.
        dataset: One of several sets that a source has.
        dataset_options: Arguments of that, or of what loads it, by name.
        image_column: Which column holds the images; None where their type tells.
        label_column: Which column holds the labels; None where their type tells.
        target: Which column of a table holds the labels; None for none.
        missing: What becomes of missing values of a table; None refuses them.

    Raises:
        ConfigError: If a setting is unknown or out of range.
    """

    path: str | None = None
    dataset: str | None = None
    dataset_options: Mapping[str, Any] | None = None
    image_column: str | None = None
    label_column: str | None = None
    target: str | None = None
    missing: Missing | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        super().__post_init__()
        if self.missing is not None:
            require_name("data.missing", self.missing, Missing)

    @property
    def given(self) -> list[str]:
        """Names of those that are not left as they are by default."""
        return [one.name for one in fields(self) if getattr(self, one.name) != one.default]
