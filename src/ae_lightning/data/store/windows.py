"""The order of an epoch over blocks on disk: windows of blocks, mixed within."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from ae_lightning.data.sampling import EpochSampler, Sampling


class Window(NamedTuple):
    """A run of an epoch's order that is read at once.

    Attributes:
        start: Place of its first image in the order of the epoch.
        positions: Of its images in the split, in that order; int64, shape (n,).
    """

    start: int
    positions: Tensor


class WindowSampler(EpochSampler):
    """Deals out images that lie on disk in blocks.

    When shuffling, the blocks of the split are permuted; as many of them as a window holds come together, and the
    images of a window are permuted. The order is a function of seed, epoch, block size and window alone, so that ranks
    see together what one process sees, and any place in it is found without what came before.

    Args:
        num_samples: How many images the split has.
        block_size: Images of a block; the last may have fewer.
        window_size: Blocks of a window.
        sampling: Batch size, order and share.

    Raises:
        ConfigError: If the batch size is below 1 or there are fewer images than ranks.
    """

    def __init__(self, num_samples: int, block_size: int, window_size: int, sampling: Sampling) -> None:
        super().__init__(num_samples, sampling)
        self.block_size = block_size
        self.window_size = window_size

    def windows(self, first: int = 0) -> Iterator[Window]:
        """Yield the windows of the epoch, each drawn when it is asked for.

        Args:
            first: Place in the order; windows that end before it are passed over.
        """
        blocks = self._blocks()
        start = 0
        for number, chosen in enumerate(torch.split(blocks, self.window_size)):
            size = int(self._sizes(chosen).sum())
            if start + size > first:
                yield Window(start, self._positions(number, chosen))
            start += size

    def _blocks(self) -> Tensor:
        num_blocks = -(-self.num_samples // self.block_size)
        return torch.randperm(num_blocks, generator=self.generator()) if self.shuffle else torch.arange(num_blocks)

    def _sizes(self, blocks: Tensor) -> Tensor:
        return (self.num_samples - blocks * self.block_size).clamp(max=self.block_size)

    def _positions(self, window: int, blocks: Tensor) -> Tensor:
        within = torch.arange(self.block_size)
        positions = (blocks[:, None] * self.block_size + within).flatten()
        positions = positions[positions < self.num_samples]
        if not self.shuffle:
            return positions
        return positions[torch.randperm(len(positions), generator=self.generator(window))]
