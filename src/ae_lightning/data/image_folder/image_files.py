"""The image files of a folder: found in its tree, and their headers read before any pixels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ae_lightning.data.image_folder.decoding import ImageHeader, bombs_refused, read_deep_image, read_header, read_image
from ae_lightning.data.image_folder.faults import Faults
from ae_lightning.data.image_folder.layout import FolderLayout, PlacedImage
from ae_lightning.data.image_folder.resizing import Resizing, choose_resizing
from ae_lightning.data.image_folder.settings import FolderReading
from ae_lightning.data.image_folder.threads import in_threads
from ae_lightning.data.progress import track_slow
from ae_lightning.errors import DataError


@dataclass(frozen=True)
class FolderFiles:
    """The image files of a folder whose headers can be read.

    Attributes:
        files: Of train, val and test in this order, each in the order of their names.
        resizing: How images are brought to one size.
        num_channels: 1 if all kinds of files are grey, else 3.
        is_deep: Whether a file has more than 8 bits: all are then read with 16.
        faults: Where files go that cannot be read.
    """

    files: tuple[PlacedImage, ...]
    resizing: Resizing
    num_channels: int
    is_deep: bool
    faults: Faults

    @property
    def dtype(self) -> type[np.unsignedinteger[Any]]:
        """Type of the pixels."""
        return np.uint16 if self.is_deep else np.uint8

    @property
    def notes(self) -> list[str]:
        """What is to be said of how images are read."""
        return [*(["16 bits"] if self.is_deep else []), *([] if self.resizing.note is None else [self.resizing.note])]

    def decoded(self, positions: Iterable[int]) -> Iterator[tuple[int, NDArray[Any]]]:
        """Decode files, and pass over those that cannot be read and are to be skipped.

        Yields:
            The position of a file, and its pixels: of `dtype`, shape (1, H, W) of a grey image, else (3, H, W).

        Raises:
            DataError: If one cannot be read and is not to be skipped.
        """
        with bombs_refused():
            for position, decode in in_threads(self._decode, positions):
                pixels = None
                with self.faults.at(self.files[position].path):
                    pixels = decode()
                if pixels is not None:
                    yield position, pixels

    def _decode(self, position: int) -> NDArray[Any]:
        path, (size, resize) = self.files[position].path, (self.resizing.size, self.resizing.resize)
        return read_deep_image(path, size, resize) if self.is_deep else _channels_first(read_image(path, size, resize))

    def require_some(self, read: Collection[object]) -> None:
        """Check that files could be read.

        Raises:
            DataError: If none could.
        """
        _require_some(read, self.files)


def find_readable_images(layout: FolderLayout, reading: FolderReading, faults: Faults) -> FolderFiles:
    """Read the headers of the images of a folder.

    Args:
        layout: The folder.
        reading: What is to be made of it.
        faults: Where files go that cannot be read.

    Raises:
        DataError: If no header can be read, or one is damaged and is not to be skipped.
    """
    files, headers = [], []
    with bombs_refused():
        for image, read in in_threads(_header, track_slow(layout.images, "Looking at images", "images")):
            with faults.at(image.path):
                headers.append(read())
                files.append(image)
    _require_some(headers, layout.images)
    size = (reading.image_size, reading.image_size) if reading.image_size else _most_common_size(headers)
    resizing = choose_resizing([header.size for header in headers], size, reading.resize)
    num_channels = 1 if all(header.is_grey for header in headers) else 3
    return FolderFiles(tuple(files), resizing, num_channels, any(header.is_deep for header in headers), faults)


def _header(image: PlacedImage) -> ImageHeader:
    return read_header(image.path)


def _require_some(read: Collection[object], files: Sequence[PlacedImage]) -> None:
    if not read:
        raise DataError(f"data.on_error: not one of the {len(files)} images can be read; the first is {files[0].path}")


def _channels_first(image: Image.Image) -> NDArray[np.uint8]:
    values = np.asarray(image)
    return values[None] if image.mode == "L" else values.transpose(2, 0, 1)


def _most_common_size(headers: Iterable[ImageHeader]) -> tuple[int, int]:
    (size, _), *_ = Counter(header.size for header in headers).most_common(1)
    return size
