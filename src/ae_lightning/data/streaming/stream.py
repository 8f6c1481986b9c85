"""A converted folder, opened to train on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from ae_lightning.data.loader import ResumableLoader
from ae_lightning.data.memory import require_memory
from ae_lightning.data.opened_data import NUM_FINGERPRINTED, OpenedData
from ae_lightning.data.sampling import Sampling
from ae_lightning.data.splits import Split, SplitName, require_named_labels
from ae_lightning.data.streaming.blocks import BlockReader
from ae_lightning.data.streaming.litdata_import import require_litdata
from ae_lightning.data.streaming.loader import StreamLoader
from ae_lightning.data.streaming.stored_keys import read_keys
from ae_lightning.data.streaming.stream_description import read_description
from ae_lightning.data.streaming.windows import WindowSampler

SAMPLE_IMAGES = 60_000
SAMPLE_BYTES = 1 << 28
"""Of the train split, what is read into memory for measures and pictures at most."""


class Stream(OpenedData):
    """Images on disk: the train split is read as it is trained on, the others are read into memory at first need.

    Args:
        folder: That `convert` wrote.

    Raises:
        ConfigError: If litdata is not installed.
        DataError: If the folder is not there, no such folder, of another version, or not whole.
    """

    def __init__(self, folder: Path) -> None:
        require_litdata("data.name stream")
        self._folder = folder
        self._description = read_description(folder)
        self.class_names = self._description.class_names
        self.novel_class = self._description.novel_class
        self.num_skipped = self._description.num_skipped
        self.num_samples = self._description.num_images
        self.notes = self._description.notes
        self._read: dict[SplitName, Split] = {}

    @property
    def shape(self) -> tuple[int, ...]:
        """Channels, height and width."""
        return self._description.image_shape

    def split(self, name: SplitName) -> Split:
        """Return the val or test split, or of the train split a fixed sample: its first images, stored in random order.

        Raises:
            DataError: If a chunk cannot be read, or the split does not fit into memory.
        """
        if name not in self._read:
            reader = self._reader(name)
            num_images = self.num_samples[name]
            if name == "train":
                num_images = min(num_images, SAMPLE_IMAGES, max(1, SAMPLE_BYTES // reader.image_bytes))
            require_memory(num_images * reader.image_bytes, f"data.path: the {name} split")
            split = replace(reader.read_first(num_images), keys=read_keys(self._folder / name, num_images))
            require_named_labels(split, self.class_names, str(self._folder / name))
            self._read[name] = split
        return self._read[name]

    def loader(
        self,
        name: SplitName,
        sampling: Sampling,
        kept_on: Callable[[Split], torch.device | None],
        *,
        with_labels: bool = False,
    ) -> ResumableLoader:
        """Return batches of a whole split, those of the train split read from disk as they are asked for."""
        if name != "train":
            return super().loader(name, sampling, kept_on, with_labels=with_labels)
        reader = self._reader(name)
        window_size = self._description.window_size
        sampler = WindowSampler(reader.num_images, reader.block_size, window_size, sampling)
        return StreamLoader(reader, sampler, with_labels=with_labels)

    def _some_samples(self, name: SplitName) -> Tensor:
        return self._reader(name).read_first(min(self.num_samples[name], NUM_FINGERPRINTED)).x

    def _reader(self, name: SplitName) -> BlockReader:
        described = self._description
        return BlockReader(
            self._folder / name,
            self.num_samples[name],
            described.image_shape,
            described.block_size,
            described.dtype,
        )
