"""Writing the arrays of a split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ae_lightning.data.store.arrays import ArrayWriter
from ae_lightning.data.store.description import SplitDescription

BLOCK_BYTES = 1 << 20
"""To read a sample by itself would cost a call each."""

WINDOW_BYTES = 1 << 25
"""Of samples that are mixed with each other. Twice as much is held: the window trained on, and the next one."""


class Sizes(NamedTuple):
    """How samples are grouped.

    Attributes:
        block: Samples that are read together.
        window: Blocks that are mixed in training.
    """

    block: int
    window: int


def sizes_for(sample_bytes: int) -> Sizes:
    """Return sizes with which a block has about a mebibyte, a window 32."""
    block = max(1, BLOCK_BYTES // sample_bytes)
    return Sizes(block, max(1, WINDOW_BYTES // (block * sample_bytes)))


class SplitWriter:
    """Writes samples in the order in which they come.

    Args:
        folder: To make, for one split.
        block_size: Samples of a block.
        key_bytes: Of the longest key, in UTF-8.
    """

    def __init__(self, folder: Path, block_size: int, key_bytes: int) -> None:
        folder.mkdir()
        self._folder, self._block_size = folder, block_size
        self._key_bytes = key_bytes
        self._writers: dict[str, ArrayWriter] = {}
        self._smallest, self._largest = np.inf, -np.inf

    @property
    def num_samples(self) -> int:
        """Count the samples so far."""
        return self._writers["x"].num_rows if self._writers else 0

    def add(
        self,
        x: NDArray[Any],
        keys: Sequence[str],
        labels: NDArray[np.int64] | None = None,
        factors: NDArray[np.int64] | None = None,
    ) -> None:
        """Take samples.

        Args:
            x: uint8, uint16 or float32, shape (n, …), any n.
            keys: What each is called, n of them.
            labels: shape (n,), −1 where missing; None where unlabelled, in every call.
            factors: shape (n, F); None where none is known, in every call.
        """
        if not len(x):
            return
        self._smallest, self._largest = min(self._smallest, float(x.min())), max(self._largest, float(x.max()))
        words = np.array([key.encode() for key in keys], f"S{self._key_bytes}")
        for name, rows in {"x": x, "keys": words, "labels": labels, "factors": factors}.items():
            if rows is not None:
                if name not in self._writers:
                    self._writers[name] = ArrayWriter(self._folder, name, self._block_size)
                self._writers[name].add(rows)

    def close(self) -> SplitDescription:
        """Finish the files; there must be samples."""
        arrays = {name: writer.close() for name, writer in self._writers.items()}
        return SplitDescription(**arrays, smallest=self._smallest, largest=self._largest)
