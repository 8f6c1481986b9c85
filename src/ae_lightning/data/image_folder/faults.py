"""What becomes of files that cannot be read."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from ae_lightning.data.image_folder.stored_image import ImagePath
from ae_lightning.errors import DataError, UnreadableError

OnError = Literal["raise", "skip"]

MAX_NAMED = 20
"""Files that are named one by one; of further ones the number alone is told at the end."""


class Faults:
    """Raises at the first damaged file, or counts such files and names the first of them in warnings.

    Args:
        on_error: Which of the two. A file that the machine does not give is raised either way.

    Attributes:
        skipped: The files left out, each with what is wrong with it.
    """

    def __init__(self, on_error: OnError) -> None:
        self.on_error: OnError = on_error
        self.skipped: list[tuple[ImagePath, str]] = []

    @property
    def num_skipped(self) -> int:
        """Count the files left out so far."""
        return len(self.skipped)

    @contextmanager
    def at(self, path: ImagePath) -> Iterator[None]:
        """Read a file or folder.

        Raises:
            DataError: If it is damaged and is not to be skipped.
            UnreadableError: If the machine does not give it.
        """
        try:
            yield
        except UnreadableError:
            # It may be there the next time, or for another rank, whose images would then differ from this one's.
            raise
        except DataError as error:
            if self.on_error == "raise":
                raise
            self.skip(path, str(error))

    def refused_folder(self, error: OSError) -> None:
        """Take what `os.walk` says of a folder that it cannot list.

        Raises:
            DataError: If it is not to be skipped.
        """
        with self.at(Path(str(error.filename))):
            raise DataError(f"{error.filename} cannot be listed: {error.strerror}") from error

    def skip(self, path: ImagePath, reason: str) -> None:
        """Leave a file out.

        Args:
            path: It.
            reason: What is wrong with it.
        """
        self.skipped.append((path, reason))
        if self.num_skipped <= MAX_NAMED:
            warnings.warn(f"left out: {reason}", stacklevel=4)
        if self.num_skipped == MAX_NAMED:
            warnings.warn(f"more files like {path} are left out without being named", stacklevel=4)
