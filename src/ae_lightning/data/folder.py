"""A tree of image files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ae_lightning.data.faults import Faults, OnError
from ae_lightning.data.folder_files import FolderFiles, find_readable_images
from ae_lightning.data.holding_out import hold_out_test
from ae_lightning.data.memory import COPIES, require_memory
from ae_lightning.data.progress import track_slow
from ae_lightning.data.splits import DataSet, Split

TEST_SHARE = 0.1


def read_folder(
    path: Path, image_size: int | None, split_seed: int, on_error: OnError = "raise", follow_links: bool = False
) -> DataSet:
    """Read every image below a folder, in the order of their names.

    Hidden files and files without an image's suffix are passed over. With both ``train`` and ``test`` at the
    top these are the splits, and nothing else is read.

    Args:
        path: The folder.
        image_size: Height and width that every image is resized to, in pixels; None takes the size that most
            images have.
        split_seed: Fixes which tenth is the test split, where the tree does not say.
        on_error: What becomes of a file that is damaged: ``raise``, or ``skip`` with warnings that name the first 20.
        follow_links: Whether links to what lies outside of the folder are followed; a warning names those that are not.

    Returns:
        Images of one channel if all are grey, else of three. The classes are the first-level subfolders, if
        there are two or more of them and no image lies outside of them; otherwise the images are unlabelled.

    Raises:
        DataError: If the folder is missing or holds no image, or a file is damaged and ``on_error`` is ``raise``.
        UnreadableError: If the machine does not give a file.
    """
    contents = find_readable_images(path, image_size, Faults(on_error), follow_links)
    pixels, kept = _read_images(contents)
    class_names, labels = contents.labelled(kept)
    everything = Split(pixels, labels)
    in_test = contents.in_test(kept)
    if in_test is None:
        train, test = hold_out_test(everything, TEST_SHARE, split_seed)
    else:
        train, test = (everything.select(mask.nonzero().flatten()) for mask in (~in_test, in_test))
    return DataSet(train, test, class_names, num_skipped=contents.faults.num_skipped)


def _read_images(contents: FolderFiles) -> tuple[Tensor, list[int]]:
    """Read images of one size; give them, uint8 of shape (N, C, H, W), and the positions of their files."""
    width, height = contents.size
    num_images = len(contents.files)
    shape = (num_images, contents.num_channels, height, width)
    require_memory(COPIES * int(np.prod(shape)), f"{num_images} images of {width} x {height} pixels (data.image_size):")
    pixels = np.empty(shape, np.uint8)
    kept: list[int] = []
    all_grey = True
    for position, image in contents.decoded(track_slow(range(num_images), "Reading images")):
        all_grey &= len(image) == 1
        pixels[len(kept)] = image
        kept.append(position)
    contents.require_some(kept)
    pixels = pixels[: len(kept)]
    return torch.from_numpy(np.ascontiguousarray(pixels[:, :1]) if all_grey else pixels), kept
