"""Images in files, decoded into memory: those of a folder, or of any other layout that is known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ae_lightning.data.image_folder.decoded_cache import Decoded, kept_or_decoded
from ae_lightning.data.image_folder.faults import Faults
from ae_lightning.data.image_folder.image_files import FolderFiles, find_readable_images
from ae_lightning.data.image_folder.layout import FolderLayout, read_layout, shown
from ae_lightning.data.image_folder.settings import FolderReading
from ae_lightning.data.memory import COPIES, require_memory
from ae_lightning.data.progress import track_slow
from ae_lightning.data.sample_keys import keys_of_files
from ae_lightning.data.splits import DataSet, Split, SplitName
from ae_lightning.data.store.cache import DataCache
from ae_lightning.errors import UnreadableError


class KeptUnder(NamedTuple):
    """What decoded images are kept under.

    Attributes:
        names: Of the files that hold the images.
        files: These files; their sizes and times of change count.
    """

    names: Sequence[str]
    files: Sequence[Path]


def read_folder(
    path: Path, split_seed: int = 0, reading: FolderReading | None = None, cache: DataCache | None = None
) -> DataSet:
    """Read every image below a folder, in the order of their names.

    Hidden files, and files without an image's suffix, are passed over. Folders that are called after splits are these;
    those in them, or at the top, are classes if there are two or more.

    Args:
        path: The folder.
        split_seed: Fixes which tenth is the test split, where the tree has none.
        reading: What is to be made of it; None for all defaults.
        cache: Where decoded images are kept; None keeps none.

    Returns:
        Images of one channel if all are grey, else of three, and how the tree was understood.

    Raises:
        DataError: If the folder is missing or holds no image, what its folders are cannot be told, or a file is damaged
            and is not to be skipped.
        UnreadableError: If the machine does not give a file.
    """
    reading = reading or FolderReading()
    faults = Faults(reading.on_error)
    layout = read_layout(path, reading, faults)
    files = [image.path for image in layout.images if isinstance(image.path, Path)]
    kept_under = KeptUnder(layout.keys_of(layout.images), files)
    return read_layout_images(layout, split_seed, reading, faults, kept_under, cache)


def read_layout_images(
    layout: FolderLayout,
    split_seed: int,
    reading: FolderReading,
    faults: Faults,
    kept_under: KeptUnder,
    cache: DataCache | None,
) -> DataSet:
    """Read images whose splits and classes are known.

    Args:
        layout: The images.
        split_seed: Fixes which tenth is the test split, where there is none.
        reading: How they are brought to one size.
        faults: Where files go that cannot be read.
        kept_under: What they are known by in the cache.
        cache: Where decoded images are kept; None keeps none.

    Returns:
        Images of one channel if all are grey, else of three.

    Raises:
        DataError: If a file is damaged and is not to be skipped.
        UnreadableError: If the machine does not give a file.
    """
    num_unlisted = faults.num_skipped
    settings = reading.image_size, reading.resize, reading.on_error
    decoded = kept_or_decoded(cache or DataCache(None), *kept_under, settings, lambda: _decode(layout, reading, faults))
    # What is decoded now is told of as it is found.
    if faults.num_skipped == num_unlisted:
        for place, reason in decoded.unread:
            faults.skip(layout.images[place].path, reason)
    require_memory(decoded.pixels.nbytes, f"to divide {len(decoded.pixels)} images (data.image_size)")
    try:
        splits = _divided(decoded, layout, split_seed)
    except UnreadableError:  # another start threw it out of the cache
        decoded = _decode(layout, reading, Faults(reading.on_error))
        splits = _divided(decoded, layout, split_seed)
    notes = [*layout.notes, *decoded.notes]
    return DataSet(
        splits["train"],
        splits["test"],
        layout.shown_classes,
        num_skipped=faults.num_skipped,
        val=splits.get("val"),
        notes=tuple(map(shown, notes)),
        settled={"resize": decoded.resize},
    )


def _divided(decoded: Decoded, layout: FolderLayout, split_seed: int) -> dict[SplitName, Split]:
    images = [layout.images[place] for place in decoded.places]
    keys, labels = keys_of_files(layout.keys_of(images)), layout.labels_of(images)
    return {
        name: Split(
            torch.from_numpy(decoded.pixels[places.numpy()]),
            None if labels is None else labels[places],
            keys=keys.select(places),
        )
        for name, places in layout.divided(images, split_seed).items()
    }


def _decode(layout: FolderLayout, reading: FolderReading, faults: Faults) -> Decoded:
    num_unlisted = faults.num_skipped
    contents = find_readable_images(layout, reading, faults)
    pixels, kept = _read_images(contents)
    places = {image.path: place for place, image in enumerate(layout.images)}
    return Decoded(
        pixels,
        [places[contents.files[position].path] for position in kept],
        contents.resizing.resize,
        contents.notes,
        [(places[path], reason) for path, reason in faults.skipped[num_unlisted:]],
    )


def _read_images(contents: FolderFiles) -> tuple[NDArray[Any], list[int]]:
    """Read images of one size; give them, of shape (N, C, H, W), and the positions of their files."""
    width, height = contents.resizing.size
    num_images = len(contents.files)
    shape = (num_images, contents.num_channels, height, width)
    num_bytes = COPIES * int(np.prod(shape)) * np.dtype(contents.dtype).itemsize
    require_memory(num_bytes, f"{num_images} images of {width} x {height} pixels (data.image_size):")
    pixels = np.empty(shape, contents.dtype)
    kept: list[int] = []
    all_grey = True
    for position, image in contents.decoded(track_slow(range(num_images), "Reading images", "images")):
        all_grey &= len(image) == 1
        pixels[len(kept)] = image
        kept.append(position)
    contents.require_some(kept)
    pixels = pixels[: len(kept)]
    return np.ascontiguousarray(pixels[:, :1]) if all_grey else pixels, kept
