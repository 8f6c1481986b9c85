"""A tree of image files."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ae_lightning.data.decoding import ImageHeader, read_header, read_image
from ae_lightning.data.memory import require_memory
from ae_lightning.data.progress import track_slow
from ae_lightning.data.splits import ImageSet, ImageSplit, hold_out_test
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
TEST_SHARE = 0.1


def read_folder(path: Path, image_size: int | None, split_seed: int) -> ImageSet:
    """Read every image below a folder, in the order of their names.

    Hidden files and files without an image's suffix are passed over. With both ``train`` and ``test`` at the
    top these are the splits, and nothing else is read.

    Args:
        path: The folder.
        image_size: Height and width that every image is resized to, in pixels; None takes the size that most
            images have.
        split_seed: Fixes which tenth is the test split, where the tree does not say.

    Returns:
        Images of one channel if all are grey, else of three. The classes are the first-level subfolders, if
        there are two or more of them and no image lies outside of them; otherwise the images are unlabelled.

    Raises:
        DataError: If the folder is missing or holds no image, or a file is damaged.
    """
    if not path.is_dir():
        raise DataError(f"data.path: there is no folder {path}")
    roots = [path / "train", path / "test"]
    if not all(root.is_dir() for root in roots):
        roots = [path]
    files = [(root, file) for root in roots for file in _find_images(root)]
    class_names, labels = _label([file.relative_to(root) for root, file in files])
    everything = ImageSplit(_read_images([file for _, file in files], image_size), labels)
    if len(roots) == 1:
        train, test = hold_out_test(everything, TEST_SHARE, split_seed)
    else:
        is_test = torch.tensor([root == roots[1] for root, _ in files])
        train, test = (everything.select(mask.nonzero().flatten()) for mask in (~is_test, is_test))
    return ImageSet(train, test, class_names)


def _find_images(root: Path) -> list[Path]:
    files = sorted(_walk(root), key=lambda file: file.relative_to(root).as_posix())
    if not files:
        raise DataError(f"there are no images in {root} (looked for {', '.join(sorted(SUFFIXES))})")
    return files


def _walk(root: Path) -> Iterator[Path]:
    """Find image files, below links to folders too, each folder once even where links form a ring."""
    seen = set()
    for folder, subfolders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            subfolders.clear()
            continue
        seen.add(real)
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in names:
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
                yield Path(folder, name)


def _label(files: Sequence[Path]) -> tuple[tuple[str, ...] | None, Tensor | None]:
    class_names = sorted({file.parts[0] for file in files if len(file.parts) > 1})
    if len(class_names) < 2 or any(len(file.parts) == 1 for file in files):
        return None, None
    positions = {name: position for position, name in enumerate(class_names)}
    return tuple(class_names), torch.tensor([positions[file.parts[0]] for file in files])


def _read_images(files: Sequence[Path], image_size: int | None) -> Tensor:
    headers = [read_header(file) for file in track_slow(files, "Looking at images")]
    width, height = (image_size, image_size) if image_size else _most_common_size(headers)
    num_channels = 1 if all(header.is_grey for header in headers) else 3
    shape = (len(files), num_channels, height, width)
    require_memory(int(np.prod(shape)), f"{len(files)} images of {width} x {height} pixels (data.image_size):")
    pixels = np.empty(shape, np.uint8)
    all_grey = True
    for position, file in enumerate(track_slow(files, "Reading images")):
        image = read_image(file, (width, height))
        all_grey &= image.mode == "L"
        values = np.asarray(image)
        pixels[position] = values[None] if image.mode == "L" else values.transpose(2, 0, 1)
    return torch.from_numpy(np.ascontiguousarray(pixels[:, :1]) if all_grey else pixels)


def _most_common_size(headers: Sequence[ImageHeader]) -> tuple[int, int]:
    (size, _), *_ = Counter(header.size for header in headers).most_common(1)
    return size
