"""Batches of a split that stays on disk."""

from __future__ import annotations

import mmap
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice, pairwise
from threading import Event
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ae_lightning.data.batch import Batch
from ae_lightning.data.loader import ResumableLoader
from ae_lightning.data.sampling import RankShare
from ae_lightning.data.streaming.blocks import BlockReader
from ae_lightning.data.streaming.windows import Window, WindowSampler
from ae_lightning.labels import MISSING_LABEL


class _Piece(NamedTuple):
    """What one rank takes of a window, in memory.

    Attributes:
        places: Of its images in the order of the epoch, ascending, shape (n,).
        positions: Of its images in the split, shape (n,).
        images: uint8 or uint16, shape (n, C, H, W).
        labels: int64, −1 where missing, shape (n,); None where they are not asked for.
    """

    places: Tensor
    positions: Tensor
    images: Tensor
    labels: Tensor | None

    @property
    def last(self) -> int:
        """Place of the last image."""
        return int(self.places[-1])

    def within(self, start: int, stop: int) -> slice:
        """Return the run of its images whose places lie in [start, stop)."""
        first, end = torch.searchsorted(self.places, torch.tensor([start, stop])).tolist()
        return slice(first, end)


class StreamLoader(ResumableLoader):
    """Batches of images that are read window by window, the next one while the current one is trained on.

    A batch is a view of its window, or a copy where it reaches into the next. Each rank reads every block and keeps its
    own images.

    Args:
        reader: Reads the blocks.
        sampler: Deals out the images.
        with_labels: Whether batches bring labels; all missing where the split has none.
    """

    sampler: WindowSampler

    def __init__(self, reader: BlockReader, sampler: WindowSampler, *, with_labels: bool = False) -> None:
        super().__init__(sampler)
        self._reader = reader
        self._with_labels = with_labels

    def _batches(self, first: int) -> Iterator[Batch]:
        held: list[_Piece] = []
        with closing(self._pieces(first)) as pieces:
            for share in self.sampler.shares(first):
                held = [piece for piece in held if piece.last >= share.start]
                while not held or held[-1].last < share.start + share.num_samples - 1:
                    held.append(next(pieces))
                yield _batch(held, share)

    def _pieces(self, first: int) -> Generator[_Piece]:
        """Yield what this rank takes of each window, while a thread reads the one after."""
        windows = self.sampler.windows(first * self.sampler.global_batch_size)
        is_over = Event()
        with ThreadPoolExecutor(1, "stream") as thread:
            try:
                coming = deque([thread.submit(self._read, next(windows), first, is_over)])
                while coming:
                    piece = coming.popleft().result()
                    coming.extend(thread.submit(self._read, window, first, is_over) for window in islice(windows, 1))
                    if len(piece.places):
                        yield piece
            finally:
                is_over.set()

    def _read(self, window: Window, first: int, is_over: Event) -> _Piece:
        places = self._own_places(window, first)
        positions = window.positions[places - window.start]
        pixels = _pages((len(places), *self._reader.image_shape), self._reader.dtype)
        labels = np.full(len(places), MISSING_LABEL)
        block_of = (positions // self._reader.block_size).numpy()
        by_block = block_of.argsort(kind="stable")
        blocks, starts = np.unique(block_of[by_block], return_index=True)
        bounds = np.append(starts, len(places)).tolist()
        for block, (start, stop) in zip(blocks.tolist(), pairwise(bounds), strict=True):
            if is_over.is_set():
                break
            rows = by_block[start:stop]
            within = positions.numpy()[rows] - block * self._reader.block_size
            read = self._reader.read(block)
            pixels[rows] = read.images[within]
            if read.labels is not None:
                labels[rows] = read.labels[within]
        return _Piece(
            places, positions, torch.from_numpy(pixels), torch.from_numpy(labels) if self._with_labels else None
        )

    def _own_places(self, window: Window, first: int) -> Tensor:
        end = window.start + len(window.positions)
        runs = [torch.arange(0)]
        # The last batch may be larger than the others, and so begin before the place that its window divides to.
        batch = min(window.start // self.sampler.global_batch_size, len(self.sampler) - 1)
        for share in self.sampler.shares(max(first, batch)):
            if share.start >= end:
                break
            start, stop = max(share.start, window.start), min(share.start + share.num_samples, end)
            if start < stop:
                runs.append(torch.arange(start, stop))
        return torch.cat(runs)


def _pages(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return room that goes back to the system when it is let go of: `keep_memory` would keep window after window."""
    size = int(np.prod(shape))
    room = mmap.mmap(-1, max(1, size * dtype.itemsize), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return np.frombuffer(room, dtype, size).reshape(shape)


def _batch(held: list[_Piece], share: RankShare) -> Batch:
    stop = share.start + share.num_samples
    parts = [(piece, piece.within(share.start, stop)) for piece in held]
    images = _joined([piece.images[run] for piece, run in parts])
    positions = _joined([piece.positions[run] for piece, run in parts])
    labels = [piece.labels[run] for piece, run in parts if piece.labels is not None]
    return Batch(images, _joined(labels) if labels else None, positions, share.offset, share.global_size)


def _joined(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts)
