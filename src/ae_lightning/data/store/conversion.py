"""From any source to samples on disk."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ae_lightning.data.data_line import data_line
from ae_lightning.data.datamodule import DataModule
from ae_lightning.data.holding_out import MAX_DEFAULT_VAL
from ae_lightning.data.image_folder.faults import Faults
from ae_lightning.data.image_folder.image_files import find_readable_images
from ae_lightning.data.image_folder.layout import read_layout, shown
from ae_lightning.data.opened_data import LoadedData
from ae_lightning.data.progress import track_slow
from ae_lightning.data.scaling import tell_of_narrow_range
from ae_lightning.data.splits import Split, SplitName, rows_of
from ae_lightning.data.store.description import StreamDescription
from ae_lightning.data.store.writing import Sizes, SplitWriter, sizes_for
from ae_lightning.errors import DataError
from ae_lightning.labels import MISSING_LABEL
from ae_lightning.spec import Factors


class _Part(NamedTuple):
    """What becomes of a split.

    Attributes:
        positions: Of its samples at their source, in the order in which they are stored.
        read: Returns samples at positions, and the positions of those that can be read.
        keys_at: Returns what samples at positions are called.
        labels: Of all samples of the source; None where unlabelled.
        factors: Likewise; None where none is known.
    """

    positions: Tensor
    read: Callable[[Tensor], tuple[NDArray[Any], Tensor]]
    keys_at: Callable[[Tensor], Sequence[str]]
    labels: Tensor | None
    factors: Tensor | None = None


class _Original(NamedTuple):
    """A data set to convert; `num_skipped` counts the files that were left out so far."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    parts: dict[SplitName, _Part]
    class_names: tuple[str, ...] | None
    factors: Factors | None
    novel_class: int | None
    notes: tuple[str, ...]
    num_skipped: Callable[[], int]


def convert(
    data: DataModule, folder: Path, sizes: Sizes | None = None, tell: Callable[[str], None] = lambda line: None
) -> StreamDescription:
    """Write a data set as arrays: the samples of the train split in random order, the others in their own.

    A `folder` is read block by block; any other source is read into memory as for training.

    Args:
        data: Says which samples, and how they are divided. Where it leaves open how many are held out for validation,
            that is a tenth, at most 5,000.
        folder: To write into; it must exist and be empty.
        sizes: Of blocks and windows; None for those of `sizes_for`.
        tell: Is given a line on what will be written, before it is.

    Returns:
        What was written, its `stream.json` last.

    Raises:
        ConfigError: If a setting does not fit the samples.
        DataError: If the samples are missing or damaged.
        OSError: If the folder cannot be written.
    """
    shape, dtype, parts, *_ = original = _open_folder(data) if data.name == "folder" else _load(data)
    sizes = sizes or sizes_for(math.prod(shape) * dtype.itemsize)
    counts = {name: len(part.positions) for name, part in parts.items()}
    tell(data_line(data.dataset_name, shape, counts, original.class_names, original.notes))
    mixed = torch.randperm(counts["train"], generator=torch.Generator().manual_seed(data.split_seed))
    train = parts["train"]._replace(positions=parts["train"].positions[mixed])
    writers = _write({**parts, "train": train}, folder, sizes.block)
    description = StreamDescription(
        window_size=sizes.window,
        class_names=original.class_names,
        factors=original.factors,
        novel_class=original.novel_class,
        num_skipped=original.num_skipped(),
        notes=original.notes,
        splits={name: writer.close() for name, writer in writers.items()},
    )
    description.write(folder)
    if dtype == np.uint16 and len(shape) == 3:
        tell_of_narrow_range(int(description.splits["train"].largest), data.dataset_name)
    return description


def _load(data: DataModule) -> _Original:
    read = data.read()
    val_labels = None if read.val is None else read.val.labels_or_missing()
    division = data.divider(MAX_DEFAULT_VAL).divide(read.train.labels_or_missing(), read.class_names, val_labels)
    loaded = LoadedData(read, division)
    parts = {name: _loaded_part(loaded.split(name)) for name in loaded.num_samples}
    dtype = read.train.x[:1].numpy().dtype
    novel_class, factors = division.novel_class, read.factors
    return _Original(
        loaded.shape, dtype, parts, read.class_names, factors, novel_class, read.notes, lambda: read.num_skipped
    )


def _loaded_part(split: Split) -> _Part:
    keys = split.keys
    assert keys is not None
    return _Part(
        torch.arange(len(split)),
        lambda positions: (rows_of(split.x, positions).numpy(), positions),
        lambda positions: list(keys.select(positions)),
        split.labels,
        split.factors,
    )


def _open_folder(data: DataModule) -> _Original:
    """Open a folder whose files are decoded as they are written: palettes count as colour, even where all are grey."""
    settings, faults = data.settings, Faults(data.settings.on_error)
    layout = read_layout(Path(data.path or "").expanduser(), settings, faults)
    contents = find_readable_images(layout, settings, faults)
    width, height = contents.resizing.size
    shape, dtype = (contents.num_channels, height, width), np.dtype(contents.dtype)
    labels = layout.labels_of(contents.files)
    known = torch.full((len(contents.files),), MISSING_LABEL) if labels is None else labels
    places = layout.divided(contents.files, data.split_seed)
    train, val = places["train"], places.get("val")
    val_labels = None if val is None else known[val]
    division = data.divider(MAX_DEFAULT_VAL).divide(known[train], layout.shown_classes, val_labels)
    positions: dict[SplitName, Tensor] = {"train": train[division.train]}
    if len(division.val):
        positions["val"] = (train if val is None else val)[division.val]
    positions["test"] = places["test"]

    def read(wanted: Tensor) -> tuple[NDArray[Any], Tensor]:
        x = np.empty((len(wanted), *shape), dtype)
        kept: list[int] = []
        for position, image in contents.decoded(wanted.tolist()):
            x[len(kept)] = image
            kept.append(position)
        return x[: len(kept)], torch.tensor(kept, dtype=torch.int64)

    def keys_at(wanted: Tensor) -> list[str]:
        return layout.keys_of([contents.files[position] for position in wanted.tolist()])

    parts = {name: _Part(of_split, read, keys_at, labels) for name, of_split in positions.items()}
    notes = tuple(map(shown, [*layout.notes, *contents.notes]))
    novel_class = division.novel_class
    return _Original(shape, dtype, parts, layout.shown_classes, None, novel_class, notes, lambda: faults.num_skipped)


def _write(parts: dict[SplitName, _Part], folder: Path, block_size: int) -> dict[SplitName, SplitWriter]:
    writers = {}
    for name, part in parts.items():
        blocks = torch.split(part.positions, block_size)
        longest = max(len(key.encode()) for block in blocks for key in part.keys_at(block))
        writers[name] = SplitWriter(folder / name, block_size, longest)
    wanted = [(name, block) for name, part in parts.items() for block in torch.split(part.positions, block_size)]
    for name, block in track_slow(wanted, "Converting samples"):
        part = parts[name]
        x, read = part.read(block)
        labels, factors = (None if values is None else values[read].numpy() for values in (part.labels, part.factors))
        writers[name].add(x, part.keys_at(read), labels, factors)
    for name, writer in writers.items():
        if not writer.num_samples:
            raise DataError(f"data.on_error: not one image of the {name} split can be read")
    return writers
