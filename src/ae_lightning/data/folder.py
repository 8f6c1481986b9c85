"""A tree of image files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ae_lightning.data.folder_files import FolderFiles, find_readable_images
from ae_lightning.data.folder_reading import FolderReading
from ae_lightning.data.memory import COPIES, require_memory
from ae_lightning.data.progress import track_slow
from ae_lightning.data.splits import DataSet, Split


def read_folder(path: Path, split_seed: int = 0, reading: FolderReading | None = None) -> DataSet:
    """Read every image below a folder, in the order of their names.

    Hidden files, and files without an image's suffix, are passed over. Folders that are called after splits are these;
    those in them, or at the top, are classes if there are two or more.

    Args:
        path: The folder.
        split_seed: Fixes which tenth is the test split, where the tree has none.
        reading: What is to be made of it; None for all defaults.

    Returns:
        Images of one channel if all are grey, else of three, and how the tree was understood.

    Raises:
        DataError: If the folder is missing or holds no image, what its folders are cannot be told, or a file is damaged
            and is not to be skipped.
        UnreadableError: If the machine does not give a file.
    """
    contents = find_readable_images(path, reading or FolderReading())
    pixels, kept = _read_images(contents)
    everything = Split(pixels, None if contents.labels is None else contents.labels[kept])
    splits = {name: everything.select(places) for name, places in contents.divided(kept, split_seed).items()}
    return DataSet(
        splits["train"],
        splits["test"],
        contents.class_names,
        num_skipped=contents.faults.num_skipped,
        val=splits.get("val"),
        notes=contents.notes,
        settled={"resize": contents.resizing.resize},
    )


def _read_images(contents: FolderFiles) -> tuple[Tensor, list[int]]:
    """Read images of one size; give them, uint8 of shape (N, C, H, W), and the positions of their files."""
    width, height = contents.resizing.size
    num_images = len(contents.files)
    shape = (num_images, contents.num_channels, height, width)
    require_memory(COPIES * int(np.prod(shape)), f"{num_images} images of {width} x {height} pixels (data.image_size):")
    pixels = np.empty(shape, np.uint8)
    kept: list[int] = []
    all_grey = True
    for position, image in contents.decoded(track_slow(range(num_images), "Reading images", "images")):
        all_grey &= len(image) == 1
        pixels[len(kept)] = image
        kept.append(position)
    contents.require_some(kept)
    pixels = pixels[: len(kept)]
    return torch.from_numpy(np.ascontiguousarray(pixels[:, :1]) if all_grey else pixels), kept
