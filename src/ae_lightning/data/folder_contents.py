"""What a tree of image files holds, before its pixels are read."""

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

from ae_lightning.data.decoding import ImageHeader, read_header, read_image
from ae_lightning.data.faults import Faults
from ae_lightning.data.file_search import find_images
from ae_lightning.data.progress import track_slow
from ae_lightning.errors import DataError


@dataclass(frozen=True)
class FolderContents:
    """The image files of a folder whose headers can be read, in the order of their names.

    Attributes:
        roots: The folder, or its `train` and `test` where it has both.
        files: Each with its root.
        size: Width and height that images are resized to, in pixels.
        num_channels: 1 if all kinds of files are grey, else 3.
        faults: Where files go that cannot be read.
    """

    roots: tuple[Path, ...]
    files: tuple[tuple[Path, Path], ...]
    size: tuple[int, int]
    num_channels: int
    faults: Faults

    def decoded(self, positions: Iterable[int]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Decode files, and pass over those that cannot be read and are to be skipped.

        Yields:
            The position of a file, and its pixels: uint8, shape (1, H, W) of a grey image, else (3, H, W).

        Raises:
            DataError: If one cannot be read and is not to be skipped.
        """
        for position in positions:
            pixels = None
            with self.faults.at(self.files[position][1]):
                pixels = _channels_first(read_image(self.files[position][1], self.size))
            if pixels is not None:
                yield position, pixels

    def in_test(self, positions: Sequence[int]) -> Tensor | None:
        """Tell which files are of the test split, bool, shape (n,); None where the tree does not say."""
        if len(self.roots) == 1:
            return None
        return torch.tensor([self.files[position][0] == self.roots[1] for position in positions])

    def labelled(self, positions: Sequence[int]) -> tuple[tuple[str, ...] | None, Tensor | None]:
        """Return class names and labels of some files: the first-level subfolders, if there are two or more.

        Args:
            positions: Of the files; all of them must lie in a subfolder.

        Returns:
            Names, and int64 of shape (n,); None for both where the files are unlabelled.
        """
        chosen = (self.files[position] for position in positions)
        paths = [file.relative_to(root) for root, file in chosen]
        class_names = sorted({path.parts[0] for path in paths if len(path.parts) > 1})
        if len(class_names) < 2 or any(len(path.parts) == 1 for path in paths):
            return None, None
        places = {name: place for place, name in enumerate(class_names)}
        return tuple(map(_shown, class_names)), torch.tensor([places[path.parts[0]] for path in paths])

    def require_some(self, read: Collection[object]) -> None:
        """Check that files could be read.

        Raises:
            DataError: If none could.
        """
        _require_some(read, self.files)


def look_through(path: Path, image_size: int | None, faults: Faults, follow_links: bool) -> FolderContents:
    """Find the images of a folder, and read their headers.

    Args:
        path: The folder.
        image_size: Height and width in pixels; None takes the size that most images have.
        faults: Where files go that cannot be read.
        follow_links: Whether links to what lies outside of the folder are followed.

    Raises:
        DataError: If the folder is missing or holds no image, or a header is damaged and is not to be skipped.
    """
    if not path.is_dir():
        raise DataError(f"data.path: there is no folder {path}")
    roots: tuple[Path, ...] = (path / "train", path / "test")
    if not all(root.is_dir() for root in roots):
        roots = (path,)
    found = [(root, file) for root in roots for file in find_images(root, path, follow_links, faults)]
    files, headers = [], []
    for root, file in track_slow(found, "Looking at images"):
        with faults.at(file):
            headers.append(read_header(file))
            files.append((root, file))
    _require_some(headers, found)
    size = (image_size, image_size) if image_size else _most_common_size(headers)
    num_channels = 1 if all(header.is_grey for header in headers) else 3
    return FolderContents(roots, tuple(files), size, num_channels, faults)


def _require_some(read: Collection[object], files: Sequence[tuple[Path, Path]]) -> None:
    if not read:
        raise DataError(f"data.on_error: not one of the {len(files)} images can be read; the first is {files[0][1]}")


def _channels_first(image: Image.Image) -> NDArray[np.uint8]:
    values = np.asarray(image)
    return values[None] if image.mode == "L" else values.transpose(2, 0, 1)


def _most_common_size(headers: Iterable[ImageHeader]) -> tuple[int, int]:
    (size, _), *_ = Counter(header.size for header in headers).most_common(1)
    return size


def _shown(name: str) -> str:
    """Return a name that every file and page takes: those of files need not be valid UTF-8."""
    return name.encode(errors="surrogateescape").decode(errors="replace")
