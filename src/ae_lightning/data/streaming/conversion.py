"""From any source to blocks on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ae_lightning.data.data_line import data_line
from ae_lightning.data.datamodule import DataModule
from ae_lightning.data.holding_out import MAX_DEFAULT_VAL, TrainValDivision
from ae_lightning.data.image_folder.faults import Faults
from ae_lightning.data.image_folder.image_files import find_readable_images
from ae_lightning.data.image_folder.layout import read_layout
from ae_lightning.data.progress import track_slow
from ae_lightning.data.scaling import tell_of_largest
from ae_lightning.data.splits import SplitName
from ae_lightning.data.streaming.conversion_sources import ConversionSource, FolderSource, LoadedSource
from ae_lightning.data.streaming.stored_keys import append_keys
from ae_lightning.data.streaming.stream_description import StreamDescription
from ae_lightning.data.streaming.writer import BlockWriter, Sizes, sizes_for
from ae_lightning.errors import DataError


def convert(
    data: DataModule, folder: Path, sizes: Sizes | None = None, tell: Callable[[str], None] = lambda line: None
) -> StreamDescription:
    """Write a data set as blocks: the images of the train split in random order, the others in their own.

    A `folder` is read block by block; any other source is read into memory as for training.

    Args:
        data: Says which images, and how they are divided. Where it leaves open how many are held out for validation,
            that is a tenth, at most 5,000.
        folder: To write into; it must exist and be empty.
        sizes: Of blocks and windows; None for those of `sizes_for`.
        tell: Is given a line on what will be written, before it is.

    Returns:
        What was written, its `stream.json` last.

    Raises:
        ConfigError: If a setting does not fit the images, or litdata is not installed.
        DataError: If the images are missing or damaged.
        OSError: If the folder cannot be written.
    """
    original = _open(data)
    sizes = sizes or sizes_for(original.image_shape, np.dtype(original.dtype).itemsize)
    val_labels = None if original.val is None else original.labels_at(original.val)
    divider = data.divider(MAX_DEFAULT_VAL)
    division = divider.divide(original.labels_at(original.train), original.class_names, val_labels)
    splits = _splits(original, division, data.split_seed)
    sizes_of_splits = {name: len(positions) for name, positions in splits.items()}
    tell(data_line(data.dataset_name, original.image_shape, sizes_of_splits, original.class_names, original.notes))
    description = StreamDescription(
        image_shape=original.image_shape,
        dtype=original.dtype,
        block_size=sizes.block,
        window_size=sizes.window,
        num_images=_write(original, splits, folder, sizes.block, data.dataset_name),
        class_names=original.class_names,
        novel_class=division.novel_class,
        num_skipped=original.num_skipped,
        notes=original.notes,
    )
    description.write(folder)
    return description


def _open(data: DataModule) -> ConversionSource:
    if data.name != "folder":
        return LoadedSource(data.read(), data.dataset_name)
    path = Path(data.path or "").expanduser()
    reading, faults = data.reading, Faults(data.reading.on_error)
    layout = read_layout(path, reading, faults)
    return FolderSource(layout, find_readable_images(layout, reading, faults), data.split_seed)


def _splits(original: ConversionSource, division: TrainValDivision, seed: int) -> dict[SplitName, Tensor]:
    """Return the positions of each split in the order in which they are stored: what is trained on at random."""
    mixed = torch.randperm(len(division.train), generator=torch.Generator().manual_seed(seed))
    val_from = original.train if original.val is None else original.val
    val: dict[SplitName, Tensor] = {"val": val_from[division.val]} if len(division.val) else {}
    return {"train": original.train[division.train[mixed]], **val, "test": original.test}


def _write(
    original: ConversionSource,
    splits: Mapping[SplitName, Tensor],
    folder: Path,
    block_size: int,
    dataset_name: str,
) -> dict[SplitName, int]:
    writers = {name: BlockWriter(folder / name, block_size) for name in splits}
    parts = [(name, part) for name, positions in splits.items() for part in torch.split(positions, block_size)]
    largest = 0
    for name, part in track_slow(parts, "Converting images"):
        images, read = original.read(part)
        writers[name].add(images, None if original.labels is None else original.labels[read].numpy())
        if name == "train" and original.dtype == "uint16":
            largest = max(largest, int(images.max(initial=0)))
        append_keys(folder / name, original.keys_at(read) if len(read) else ())
    tell_of_largest(largest, dataset_name)
    for name, writer in writers.items():
        if not writer.num_images:
            raise DataError(f"data.on_error: not one image of the {name} split can be read")
        writer.close()
    return {name: writer.num_images for name, writer in writers.items()}
