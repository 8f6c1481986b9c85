"""The image files of a folder: found in its tree, and their headers read before any pixels."""

from __future__ import annotations

import os
import warnings
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
from ae_lightning.data.progress import track_slow
from ae_lightning.errors import DataError

SUFFIXES = frozenset(
    (
        ".bmp",
        ".gif",
        ".jpeg",
        ".jpg",
        ".pbm",
        ".pgm",
        ".png",
        ".pnm",
        ".ppm",
        ".tga",
        ".tif",
        ".tiff",
        ".webp",
    )
)

MAX_LINKS_NAMED = 5
FOLLOW_LINKS = "data.follow_links true follows such links"


@dataclass(frozen=True)
class FolderFiles:
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


def find_readable_images(path: Path, image_size: int | None, faults: Faults, follow_links: bool) -> FolderFiles:
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
    return FolderFiles(roots, tuple(files), size, num_channels, faults)


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


def find_images(root: Path, boundary: Path, follow_links: bool, faults: Faults) -> list[Path]:
    """Find every image file below a folder, each folder once even where links form a ring.

    Args:
        root: The folder.
        boundary: What lies outside of this folder is outside.
        follow_links: Whether links that lead outside are followed.
        faults: Where folders go that cannot be listed.

    Returns:
        The files in the order of their names.

    Raises:
        DataError: If there are none, or the folder is itself a link that is not followed.
    """
    outside = _Outside(boundary, follow_links)
    files = sorted(_walk(root, outside, faults), key=Path.as_posix)
    outside.warn()
    if not files:
        kinds = ", ".join(sorted(SUFFIXES))
        raise DataError(f"there are no images in {root} (looked for {kinds}){outside.hint}")
    return files


def _walk(root: Path, outside: _Outside, faults: Faults) -> Iterator[Path]:
    if outside.leaves_out(root):
        return
    seen = set()
    for folder, subfolders, names in os.walk(root, followlinks=True, onerror=faults.refused_folder):
        real = os.path.realpath(folder)
        if real in seen:
            subfolders.clear()
            continue
        seen.add(real)
        subfolders[:] = sorted(
            name for name in subfolders if not name.startswith(".") and not outside.leaves_out(Path(folder, name))
        )
        for name in names:
            is_image = not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES
            if is_image and not outside.leaves_out(Path(folder, name)):
                yield Path(folder, name)


class _Outside:
    """Tells links that lead out of a folder, and remembers them."""

    def __init__(self, boundary: Path, follow: bool) -> None:
        self.boundary = os.path.realpath(boundary)
        self.follow = follow
        self.links: list[Path] = []

    def leaves_out(self, link: Path) -> bool:
        if self.follow or not link.is_symlink():
            return False
        target = os.path.realpath(link)
        if os.path.commonpath([target, self.boundary]) == self.boundary:
            return False
        self.links.append(link)
        return True

    def warn(self) -> None:
        for link in self.links[:MAX_LINKS_NAMED]:
            warnings.warn(f"left out: {link} leads to {os.path.realpath(link)}; {FOLLOW_LINKS}", stacklevel=4)
        if len(self.links) > MAX_LINKS_NAMED:
            warnings.warn(f"left out: {len(self.links):,} links that lead outside of {self.boundary}", stacklevel=4)

    @property
    def hint(self) -> str:
        return f"; {len(self.links):,} links lead outside of it: {FOLLOW_LINKS}" if self.links else ""
