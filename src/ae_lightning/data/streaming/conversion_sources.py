"""The images that are converted: of a source in memory, or of a folder of any size."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ae_lightning.data.image_folder.image_files import FolderFiles
from ae_lightning.data.image_folder.layout import FolderLayout, shown
from ae_lightning.data.splits import DataSet, Split, rows_of
from ae_lightning.data.streaming.blocks import PixelType
from ae_lightning.errors import DataError
from ae_lightning.labels import MISSING_LABEL


class ConversionSource(ABC):
    """Images to be converted.

    Attributes:
        image_shape: Channels, height and width.
        dtype: Of the pixels.
        class_names: None where the images are unlabelled.
        labels: Of all images, int64, −1 where missing; None where unlabelled.
        train: Positions of the images to train on, int64; without `val` the validation split is drawn from them.
        val: Positions of the images to validate on, int64; None where the source has no split of its own for that.
        test: Positions of the images to judge on, int64.
        notes: How the source was understood, and what was left out.
    """

    image_shape: tuple[int, int, int]
    dtype: PixelType
    class_names: tuple[str, ...] | None
    labels: Tensor | None
    train: Tensor
    val: Tensor | None
    test: Tensor
    notes: tuple[str, ...]

    @property
    @abstractmethod
    def num_skipped(self) -> int:
        """Count the files left out so far, because they cannot be read."""

    def labels_at(self, positions: Tensor) -> Tensor:
        """Return the labels at some positions, int64: all of them missing where the images are unlabelled."""
        return torch.full((len(positions),), MISSING_LABEL) if self.labels is None else self.labels[positions]

    @abstractmethod
    def keys_at(self, positions: Tensor) -> list[str]:
        """Say what images of one split are called."""

    @abstractmethod
    def read(self, positions: Tensor) -> tuple[NDArray[Any], Tensor]:
        """Read images of one split.

        Args:
            positions: Which, int64, not empty.

        Returns:
            Those that can be read, of shape (n, C, H, W), and their positions.

        Raises:
            DataError: If one cannot be read and is not to be skipped.
        """


class LoadedSource(ConversionSource):
    """Images that a source has read into memory.

    Args:
        images: The splits, with keys; their positions are counted through train, val and test.
        name: Of the data set, for the error.

    Raises:
        DataError: If they are no images, or floating point.
    """

    def __init__(self, images: DataSet, name: str) -> None:
        x = images.train.x
        if x.dtype not in (torch.uint8, torch.uint16) or x.ndim != 4:
            given = f"{str(x.dtype).removeprefix('torch.')} of shape {images.train.shape}"
            raise DataError(f"convert: a stream holds uint8 or uint16 images (C, H, W), and {name} has {given}")
        self.dtype = "uint8" if x.dtype == torch.uint8 else "uint16"
        self._images = images
        channels, height, width = images.train.shape
        self.image_shape = channels, height, width
        self.class_names, self.notes = images.class_names, images.notes
        splits = [split for split in (images.train, images.val, images.test) if split is not None]
        labels = [split.labels_or_missing() for split in splits]
        self.labels = None if images.class_names is None else torch.cat(labels)
        positions = torch.split(torch.arange(sum(map(len, splits))), [len(split) for split in splits])
        self._splits = list(zip(splits, positions, strict=True))
        self.train, self.test = positions[0], positions[-1]
        self.val = None if images.val is None else positions[1]

    @property
    def num_skipped(self) -> int:
        """Count the files left out."""
        return self._images.num_skipped

    def keys_at(self, positions: Tensor) -> list[str]:
        """Say what images of one split are called."""
        split, places = self._places(positions)
        assert split.keys is not None
        return list(split.keys.select(places))

    def read(self, positions: Tensor) -> tuple[NDArray[Any], Tensor]:
        """Copy images of one split."""
        split, places = self._places(positions)
        return rows_of(split.x, places).numpy(), positions

    def _places(self, positions: Tensor) -> tuple[Split, Tensor]:
        split, own = next((split, own) for split, own in self._splits if positions[0] <= own[-1])
        return split, positions - own[0]


class FolderSource(ConversionSource):
    """Images of a folder, read as they are asked for. A palette counts as colour, even where all its colours are grey.

    Args:
        layout: The folder.
        contents: Its files that can be read.
        split_seed: Fixes the test split, where the folder does not say.
    """

    def __init__(self, layout: FolderLayout, contents: FolderFiles, split_seed: int) -> None:
        self._layout, self._contents = layout, contents
        width, height = contents.resizing.size
        self.image_shape = contents.num_channels, height, width
        self.dtype = "uint16" if contents.is_deep else "uint8"
        self.class_names, self.labels = layout.shown_classes, layout.labels_of(contents.files)
        self.notes = tuple(map(shown, [*layout.notes, *contents.notes]))
        splits = layout.divided(contents.files, split_seed)
        self.train, self.val, self.test = splits["train"], splits.get("val"), splits["test"]

    @property
    def num_skipped(self) -> int:
        """Count the files left out so far."""
        return self._contents.faults.num_skipped

    def keys_at(self, positions: Tensor) -> list[str]:
        """Return the paths of files."""
        return self._layout.keys_of([self._contents.files[position] for position in positions.tolist()])

    def read(self, positions: Tensor) -> tuple[NDArray[Any], Tensor]:
        """Decode files."""
        pixels = np.empty((len(positions), *self.image_shape), self.dtype)
        kept: list[int] = []
        for position, image in self._contents.decoded(positions.tolist()):
            pixels[len(kept)] = image
            kept.append(position)
        return pixels[: len(kept)], torch.tensor(kept, dtype=torch.int64)
