"""The images that are converted: of a source in memory, or of a folder of any size."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ae_lightning.data.folder import TEST_SHARE
from ae_lightning.data.folder_files import FolderFiles
from ae_lightning.data.holding_out import hold_out, num_held_out_for_test
from ae_lightning.data.splits import DataSet
from ae_lightning.errors import DataError


class ConversionSource(ABC):
    """Images to be converted.

    Attributes:
        image_shape: Channels, height and width.
        class_names: None where the images are unlabelled.
        labels: Of all images, int64, −1 where missing; None where unlabelled.
        train: Positions of the images to train on and to draw the validation split from, int64.
        test: Positions of the images to judge on, int64.
    """

    image_shape: tuple[int, int, int]
    class_names: tuple[str, ...] | None
    labels: Tensor | None
    train: Tensor
    test: Tensor

    @property
    @abstractmethod
    def num_skipped(self) -> int:
        """Count the files left out so far, because they cannot be read."""

    @abstractmethod
    def read(self, positions: Tensor) -> tuple[NDArray[np.uint8], Tensor]:
        """Read images of one split.

        Args:
            positions: Which, int64, not empty.

        Returns:
            Those that can be read, uint8 of shape (n, C, H, W), and their positions.

        Raises:
            DataError: If one cannot be read and is not to be skipped.
        """


class LoadedSource(ConversionSource):
    """Images that a source has read into memory.

    Args:
        images: The train and test images, in the order of whose positions the test images come last.
        name: Of the data set, for the error.

    Raises:
        DataError: If they are no images, or deeper than a byte.
    """

    def __init__(self, images: DataSet, name: str) -> None:
        if images.train.x.dtype != torch.uint8 or images.train.x.ndim != 4:
            given = f"{str(images.train.x.dtype).removeprefix('torch.')} of shape {images.train.shape}"
            raise DataError(f"convert: a stream holds uint8 images (C, H, W), and {name} has {given}")
        self._images = images
        channels, height, width = images.train.shape
        self.image_shape = channels, height, width
        self.class_names = images.class_names
        of_train, of_test = images.train.labels, images.test.labels
        self.labels = None if of_train is None or of_test is None else torch.cat([of_train, of_test])
        num_train = len(images.train)
        self.train = torch.arange(num_train)
        self.test = torch.arange(num_train, num_train + len(images.test))

    @property
    def num_skipped(self) -> int:
        """Count the files left out."""
        return self._images.num_skipped

    def read(self, positions: Tensor) -> tuple[NDArray[np.uint8], Tensor]:
        """Copy images of one split."""
        num_train = len(self.train)
        is_train = int(positions[0]) < num_train
        split, before = (self._images.train, 0) if is_train else (self._images.test, num_train)
        return split.x[positions - before].numpy(), positions


class FolderSource(ConversionSource):
    """Images of a folder, read as they are asked for. A palette counts as colour, even where all its colours are grey.

    Args:
        contents: The folder.
        split_seed: Fixes the test split, where the folder does not say.
    """

    def __init__(self, contents: FolderFiles, split_seed: int) -> None:
        self._contents = contents
        width, height = contents.size
        self.image_shape = contents.num_channels, height, width
        everything = range(len(contents.files))
        self.class_names, self.labels = contents.labelled(everything)
        in_test = contents.in_test(everything)
        if in_test is None:
            num_test = num_held_out_for_test(len(everything), TEST_SHARE)
            self.train, self.test = hold_out(len(everything), num_test, split_seed)
        else:
            self.train, self.test = (~in_test).nonzero().flatten(), in_test.nonzero().flatten()

    @property
    def num_skipped(self) -> int:
        """Count the files left out so far."""
        return self._contents.faults.num_skipped

    def read(self, positions: Tensor) -> tuple[NDArray[np.uint8], Tensor]:
        """Decode files."""
        pixels = np.empty((len(positions), *self.image_shape), np.uint8)
        kept: list[int] = []
        for position, image in self._contents.decoded(positions.tolist()):
            pixels[len(kept)] = image
            kept.append(position)
        return pixels[: len(kept)], torch.tensor(kept, dtype=torch.int64)
