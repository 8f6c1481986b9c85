"""The image files of a folder: found in its tree, and their headers read before any pixels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ae_lightning.data.decoding import ImageHeader, bombs_refused, read_header, read_image
from ae_lightning.data.faults import Faults
from ae_lightning.data.folder_layout import PlacedImage, read_layout
from ae_lightning.data.folder_reading import FolderReading
from ae_lightning.data.holding_out import hold_out, num_held_out_for_test
from ae_lightning.data.opened_data import SplitName
from ae_lightning.data.progress import track_slow
from ae_lightning.data.resizing import Resizing, choose_resizing
from ae_lightning.data.threads import in_threads
from ae_lightning.errors import DataError
from ae_lightning.labels import MISSING_LABEL

TEST_SHARE = 0.1


@dataclass(frozen=True)
class FolderFiles:
    """The image files of a folder whose headers can be read, and what their folders say of them.

    Attributes:
        files: Of train, val and test in this order, each in the order of their names.
        class_names: None where the images are unlabelled.
        labels: Of each file, int64, −1 where it has none; None where all are unlabelled.
        resizing: How images are brought to one size.
        num_channels: 1 if all kinds of files are grey, else 3.
        faults: Where files go that cannot be read.
        notes: How the folders were understood, and what was left out.
    """

    files: tuple[PlacedImage, ...]
    class_names: tuple[str, ...] | None
    labels: Tensor | None
    resizing: Resizing
    num_channels: int
    faults: Faults
    notes: tuple[str, ...]

    def decoded(self, positions: Iterable[int]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Decode files, and pass over those that cannot be read and are to be skipped.

        Yields:
            The position of a file, and its pixels: uint8, shape (1, H, W) of a grey image, else (3, H, W).

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

    def _decode(self, position: int) -> NDArray[np.uint8]:
        return _channels_first(read_image(self.files[position].path, self.resizing.size, self.resizing.resize))

    def divided(self, positions: Sequence[int], seed: int) -> dict[SplitName, Tensor]:
        """Divide files as their folders say; where these have no test split, a tenth of the others becomes one.

        Args:
            positions: Of the files.
            seed: Fixes which tenth.

        Returns:
            For each split where among the positions its files are, int64; `train` and `test`, and `val` where there is
            one.

        Raises:
            DataError: If there are no files for a split.
        """
        splits = [self.files[position].split or "train" for position in positions]
        places: dict[SplitName, Tensor] = {
            name: torch.tensor([place for place, split in enumerate(splits) if split == name], dtype=torch.int64)
            for name in dict.fromkeys(file.split or "train" for file in self.files)
        }
        if "test" not in places:
            train = places["train"]
            kept, held_out = hold_out(len(train), num_held_out_for_test(len(train), TEST_SHARE), seed)
            places |= {"train": train[kept], "test": train[held_out]}
        return places

    def require_some(self, read: Collection[object]) -> None:
        """Check that files could be read.

        Raises:
            DataError: If none could.
        """
        _require_some(read, self.files)


def find_readable_images(path: Path, reading: FolderReading) -> FolderFiles:
    """Find the images of a folder, and read their headers.

    Args:
        path: The folder.
        reading: What is to be made of it.

    Raises:
        DataError: If the folder is missing or holds no image, what its folders are cannot be told, or a header is
            damaged and is not to be skipped.
    """
    faults = Faults(reading.on_error)
    layout = read_layout(path, reading.splits, reading.labels, reading.follow_links, faults)
    files, headers = [], []
    with bombs_refused():
        for image, read in in_threads(_header, track_slow(layout.images, "Looking at images", "images")):
            with faults.at(image.path):
                headers.append(read())
                files.append(image)
    _require_some(headers, layout.images)
    size = (reading.image_size, reading.image_size) if reading.image_size else _most_common_size(headers)
    resizing = choose_resizing([header.size for header in headers], size, reading.resize)
    notes = [*layout.notes, *([] if resizing.note is None else [resizing.note])]
    return FolderFiles(
        tuple(files),
        None if layout.class_names is None else tuple(map(_shown, layout.class_names)),
        None if layout.class_names is None else _labels(files, layout.class_names),
        resizing,
        num_channels=1 if all(header.is_grey for header in headers) else 3,
        faults=faults,
        notes=tuple(map(_shown, notes)),
    )


def _header(image: PlacedImage) -> ImageHeader:
    return read_header(image.path)


def _labels(files: Sequence[PlacedImage], class_names: Sequence[str]) -> Tensor:
    places = {name: place for place, name in enumerate(class_names)}
    return torch.tensor([MISSING_LABEL if file.class_name is None else places[file.class_name] for file in files])


def _require_some(read: Collection[object], files: Sequence[PlacedImage]) -> None:
    if not read:
        raise DataError(f"data.on_error: not one of the {len(files)} images can be read; the first is {files[0].path}")


def _channels_first(image: Image.Image) -> NDArray[np.uint8]:
    values = np.asarray(image)
    return values[None] if image.mode == "L" else values.transpose(2, 0, 1)


def _most_common_size(headers: Iterable[ImageHeader]) -> tuple[int, int]:
    (size, _), *_ = Counter(header.size for header in headers).most_common(1)
    return size


def _shown(name: str) -> str:
    """Return a name that every file and page takes: those of files need not be valid UTF-8."""
    return name.encode(errors="surrogateescape").decode(errors="replace")
