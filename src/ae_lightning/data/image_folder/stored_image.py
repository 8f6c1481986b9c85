"""An image inside of a larger file: what is read as a file of its own is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO


@dataclass(frozen=True, eq=False)
class StoredImage:
    """What stands for the path of an image that has no file of its own.

    Attributes:
        name: What it is called.
        read: Gives its bytes, as a file of its format would have them.
    """

    name: str
    read: Callable[[], bytes]

    def open(self, mode: str) -> IO[bytes]:
        """Open it for reading, as `Path.open` does."""
        assert mode == "rb"
        return BytesIO(self.read())

    def is_file(self) -> bool:
        """Say that it is there."""
        return True

    def exists(self) -> bool:
        """Say that it is there."""
        return True

    def __str__(self) -> str:
        """Return its name."""
        return self.name


ImagePath = Path | StoredImage
"""Where an encoded image is."""
