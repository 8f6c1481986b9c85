"""The blocks of one split on disk, read one at a time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ae_lightning.data.splits import Split
from ae_lightning.data.streaming.litdata_import import require_litdata
from ae_lightning.errors import DataError, first_line

PixelType = Literal["uint8", "uint16"]
"""What pixels are stored as."""


class Block(NamedTuple):
    """Consecutive images of a split.

    Attributes:
        images: uint8 or uint16, shape (n, C, H, W).
        labels: int64, −1 where missing, shape (n,); None where unlabelled.
    """

    images: NDArray[Any]
    labels: NDArray[np.int64] | None


class BlockReader:
    """Reads the blocks of a split in any order. It is one thread's: litdata's readers hold open files.

    Args:
        folder: Of the split.
        num_images: How many images the split has.
        image_shape: Channels, height and width.
        block_size: Images of a block; the last may have fewer.
        dtype: Of the pixels.

    Raises:
        ConfigError: If litdata is not installed.
    """

    def __init__(
        self,
        folder: Path,
        num_images: int,
        image_shape: tuple[int, int, int],
        block_size: int,
        dtype: PixelType = "uint8",
    ) -> None:
        self.folder = folder
        self.dtype = np.dtype(dtype)
        self.num_images = num_images
        self.image_shape = image_shape
        self.block_size = block_size
        # By itself litdata decodes, for a block of less than a mebibyte, all others around it too.
        self._dataset = require_litdata("data.name stream").StreamingDataset(str(folder), batch_decode=0)

    @property
    def num_blocks(self) -> int:
        """Count the blocks."""
        return -(-self.num_images // self.block_size)

    @property
    def image_bytes(self) -> int:
        """Size of an image in bytes."""
        return int(np.prod(self.image_shape)) * self.dtype.itemsize

    def size_of(self, block: int) -> int:
        """Count the images of a block."""
        return min(self.block_size, self.num_images - block * self.block_size)

    def read(self, block: int) -> Block:
        """Read a block.

        Args:
            block: Its number, from 0.

        Raises:
            DataError: If it cannot be read, or is not what it should be.
        """
        try:
            item: Mapping[str, NDArray[np.generic]] = self._dataset[block]
            images, labels = np.asarray(item["images"]), item.get("labels")
        except Exception as error:  # a damaged chunk raises whatever litdata stumbles over
            raise DataError(f"{self.folder}: block {block} cannot be read: {first_line(error)}") from error
        expected = (self.size_of(block), *self.image_shape)
        if images.dtype != self.dtype or images.shape != expected:
            found = f"{images.dtype} of shape {images.shape} instead of {self.dtype} of shape {expected}"
            raise DataError(f"{self.folder}: block {block} is corrupt: {found}; convert the images again")
        return Block(images, None if labels is None else np.asarray(labels, np.int64))

    def read_first(self, num_images: int) -> Split:
        """Read the first images of the split into memory.

        Args:
            num_images: How many; more than there are give all.
        """
        num_images = min(num_images, self.num_images)
        pixels = np.empty((num_images, *self.image_shape), self.dtype)
        labels: list[NDArray[np.int64]] = []
        for block in range(-(-num_images // self.block_size)):
            start = block * self.block_size
            read = self.read(block)
            pixels[start : start + self.block_size] = read.images[: num_images - start]
            if read.labels is not None:
                labels.append(read.labels[: num_images - start])
        return Split(torch.from_numpy(pixels), torch.from_numpy(np.concatenate(labels)) if labels else None)
