"""A tree of image files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ae_lightning.data.decoding import ImageHeader, read_header, read_image
from ae_lightning.data.faults import Faults, OnError
from ae_lightning.data.file_search import find_images
from ae_lightning.data.memory import require_memory
from ae_lightning.data.progress import track_slow
from ae_lightning.data.splits import ImageSet, ImageSplit, hold_out_test
from ae_lightning.errors import DataError

TEST_SHARE = 0.1


def read_folder(
    path: Path, image_size: int | None, split_seed: int, on_error: OnError = "raise", follow_links: bool = False
) -> ImageSet:
    """Read every image below a folder, in the order of their names.

    Hidden files and files without an image's suffix are passed over. With both ``train`` and ``test`` at the
    top these are the splits, and nothing else is read.

    Args:
        path: The folder.
        image_size: Height and width that every image is resized to, in pixels; None takes the size that most
            images have.
        split_seed: Fixes which tenth is the test split, where the tree does not say.
        on_error: What becomes of a file that cannot be read: ``raise``, or ``skip`` with a warning that names it.
        follow_links: Whether links to what lies outside of the folder are followed; a warning names those that are not.

    Returns:
        Images of one channel if all are grey, else of three. The classes are the first-level subfolders, if
        there are two or more of them and no image lies outside of them; otherwise the images are unlabelled.

    Raises:
        DataError: If the folder is missing or holds no image, or a file is damaged and ``on_error`` is ``raise``.
    """
    if not path.is_dir():
        raise DataError(f"data.path: there is no folder {path}")
    roots = [path / "train", path / "test"]
    if not all(root.is_dir() for root in roots):
        roots = [path]
    faults = Faults(on_error)
    found = [(root, file) for root in roots for file in find_images(root, path, follow_links, faults)]
    pixels, kept = _read_images([file for _, file in found], image_size, faults)
    files = [found[position] for position in kept]
    class_names, labels = _label([file.relative_to(root) for root, file in files])
    everything = ImageSplit(pixels, labels)
    if len(roots) == 1:
        train, test = hold_out_test(everything, TEST_SHARE, split_seed)
    else:
        is_test = torch.tensor([root == roots[1] for root, _ in files])
        train, test = (everything.select(mask.nonzero().flatten()) for mask in (~is_test, is_test))
    return ImageSet(train, test, class_names, num_skipped=faults.num_skipped)


def _label(files: Sequence[Path]) -> tuple[tuple[str, ...] | None, Tensor | None]:
    class_names = sorted({file.parts[0] for file in files if len(file.parts) > 1})
    if len(class_names) < 2 or any(len(file.parts) == 1 for file in files):
        return None, None
    positions = {name: position for position, name in enumerate(class_names)}
    return tuple(map(_shown, class_names)), torch.tensor([positions[file.parts[0]] for file in files])


def _shown(name: str) -> str:
    """Return a name that every file and page takes: those of files need not be valid UTF-8."""
    return name.encode(errors="surrogateescape").decode(errors="replace")


def _read_images(files: Sequence[Path], image_size: int | None, faults: Faults) -> tuple[Tensor, list[int]]:
    """Read images of one size; give them, uint8 of shape (N, C, H, W), and the positions of their files."""
    headers = {}
    for position, file in enumerate(track_slow(files, "Looking at images")):
        with faults.at(file):
            headers[position] = read_header(file)
    _require_some(headers, files)
    width, height = (image_size, image_size) if image_size else _most_common_size(headers.values())
    num_channels = 1 if all(header.is_grey for header in headers.values()) else 3
    shape = (len(headers), num_channels, height, width)
    require_memory(int(np.prod(shape)), f"{len(headers)} images of {width} x {height} pixels (data.image_size):")
    pixels = np.empty(shape, np.uint8)
    kept: list[int] = []
    all_grey = True
    for position in track_slow(list(headers), "Reading images"):
        with faults.at(files[position]):
            image = read_image(files[position], (width, height))
            all_grey &= image.mode == "L"
            values = np.asarray(image)
            pixels[len(kept)] = values[None] if image.mode == "L" else values.transpose(2, 0, 1)
            kept.append(position)
    _require_some(kept, files)
    pixels = pixels[: len(kept)]
    return torch.from_numpy(np.ascontiguousarray(pixels[:, :1]) if all_grey else pixels), kept


def _require_some(read: Collection[int], files: Sequence[Path]) -> None:
    if not read:
        raise DataError(f"data.on_error: not one of the {len(files)} images can be read; the first is {files[0]}")


def _most_common_size(headers: Iterable[ImageHeader]) -> tuple[int, int]:
    (size, _), *_ = Counter(header.size for header in headers).most_common(1)
    return size
