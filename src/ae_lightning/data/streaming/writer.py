"""Writing the blocks of a split."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ae_lightning.data.streaming.litdata_import import require_litdata

BLOCK_BYTES = 1 << 20
"""An item an image would cost a call of Python each."""

WINDOW_BYTES = 1 << 25
"""Of images that are mixed with each other. Twice as much is held: the window trained on, and the next one."""

CHUNK_BYTES = 1 << 24
"""Of a file, at most. litdata keeps four files mapped while it reads, and they count as memory in use."""


class Sizes(NamedTuple):
    """How images are grouped.

    Attributes:
        block: Images that are stored and read together.
        window: Blocks that are mixed in training.
    """

    block: int
    window: int


def sizes_for(image_shape: tuple[int, int, int], pixel_bytes: int = 1) -> Sizes:
    """Return sizes with which a block has about a mebibyte, a window 32."""
    image_bytes = int(np.prod(image_shape)) * pixel_bytes
    block = max(1, BLOCK_BYTES // image_bytes)
    return Sizes(block, max(1, WINDOW_BYTES // (block * image_bytes)))


class BlockWriter:
    """Gathers images to blocks and writes them as litdata's chunks.

    Args:
        folder: To make, for one split.
        block_size: Images of a block.

    Raises:
        ConfigError: If litdata is not installed.
    """

    def __init__(self, folder: Path, block_size: int) -> None:
        self._cache = require_litdata("convert").Cache(str(folder), chunk_bytes=CHUNK_BYTES)
        self._block_size = block_size
        self._num_blocks = 0
        self._images: list[NDArray[Any]] = []
        self._labels: list[NDArray[np.int64]] = []
        self._num_gathered = 0
        self.num_images = 0

    def add(self, images: NDArray[Any], labels: NDArray[np.int64] | None) -> None:
        """Take images, in the order in which they are to be stored.

        Args:
            images: uint8 or uint16, shape (n, C, H, W), any n.
            labels: int64, shape (n,); None where unlabelled, in every call.
        """
        for start in range(0, len(images), self._block_size):
            self._gather(
                images[start : start + self._block_size],
                None if labels is None else labels[start : start + self._block_size],
            )

    def close(self) -> None:
        """Write what is left, and litdata's index."""
        if self._num_gathered:
            self._write(self._num_gathered)
        self._cache.done()
        self._cache.merge()

    def _gather(self, images: NDArray[Any], labels: NDArray[np.int64] | None) -> None:
        self._images.append(images)
        if labels is not None:
            self._labels.append(labels)
        self._num_gathered += len(images)
        self.num_images += len(images)
        if self._num_gathered >= self._block_size:
            self._write(self._block_size)

    def _write(self, size: int) -> None:
        images = np.concatenate(self._images)
        item: dict[str, NDArray[np.generic]] = {"images": np.ascontiguousarray(images[:size])}
        self._images = [images[size:].copy()]
        if self._labels:
            labels = np.concatenate(self._labels)
            item["labels"] = labels[:size].copy()
            self._labels = [labels[size:]]
        self._cache[self._num_blocks] = item
        self._num_blocks += 1
        self._num_gathered -= size
