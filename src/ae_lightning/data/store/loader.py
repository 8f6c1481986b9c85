"""Batches of a split that stays on disk."""

from __future__ import annotations

import mmap
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from threading import Event
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ae_lightning.data.batch import Batch
from ae_lightning.data.loader import ResumableLoader
from ae_lightning.data.store.arrays import StoredArray
from ae_lightning.data.store.windows import Window, WindowSampler
from ae_lightning.labels import MISSING_LABEL


class _Piece(NamedTuple):
    """Consecutive samples of one rank, in memory.

    Attributes:
        x: As stored, shape (n, …).
        positions: Of the samples in the split, shape (n,).
        labels: int64, −1 where missing, shape (n,).
    """

    x: Tensor
    positions: Tensor
    labels: Tensor

    def run(self, places: slice) -> _Piece:
        """Return some of them, as views."""
        return _Piece(*(values[places] for values in self))


class StreamLoader(ResumableLoader):
    """Batches of samples that are read window by window, the next one while the current one is trained on.

    A batch is a view of its window, or a copy where it reaches into the next. Each rank reads every block and keeps its
    own samples. What is at an address is fetched one window further ahead.

    Args:
        x: The samples.
        labels: Their classes; None where unlabelled.
        sampler: Deals out the samples.
        with_labels: Whether batches bring labels; all missing where there are none.
    """

    sampler: WindowSampler

    def __init__(
        self, x: StoredArray, labels: StoredArray | None, sampler: WindowSampler, *, with_labels: bool = False
    ) -> None:
        super().__init__(sampler)
        self._x = x
        self._labels = labels if with_labels else None
        self._with_labels = with_labels

    def _batches(self, first: int) -> Iterator[Batch]:
        with closing(self._pieces(first)) as pieces:
            left: _Piece | None = None
            for share in self.sampler.shares(first):
                parts, missing = [], share.num_samples
                while missing:
                    if left is None or not len(left.positions):
                        left = next(pieces)
                    parts.append(left.run(slice(missing)))
                    left = left.run(slice(missing, None))
                    missing -= len(parts[-1].positions)
                x, positions, labels = (_joined(of_all) for of_all in zip(*parts, strict=True))
                yield Batch(x, labels if self._with_labels else None, positions, share.offset, share.global_size)

    def _pieces(self, first: int) -> Generator[_Piece]:
        """Yield what this rank takes of each window, while a thread reads the one after."""
        is_over = Event()
        with ThreadPoolExecutor(1, "stream") as thread:
            try:
                reads = self._reads(thread, first, is_over)
                coming = deque(islice(reads, 1))
                while coming:
                    piece = coming.popleft().result()
                    coming.extend(islice(reads, 1))
                    yield piece
            finally:
                is_over.set()

    def _reads(self, thread: ThreadPoolExecutor, first: int, is_over: Event) -> Iterator[Future[_Piece]]:
        """Have each window read as it is asked for, and what the next one needs fetched after it."""
        windows = self.sampler.windows(first * self.sampler.global_batch_size)
        window = next(windows, None)
        while window is not None:
            read = thread.submit(self._read, window, first, is_over)
            window = next(windows, None)
            if window is not None:
                thread.submit(self._x.fetch, window.positions.numpy(), is_over)
            yield read

    def _read(self, window: Window, first: int, is_over: Event) -> _Piece:
        positions = window.positions[self._own_places(window, first) - window.start]
        self._x.fetch(positions.numpy(), is_over)
        if is_over.is_set():
            positions = positions[:0]
        x = self._x.read(positions.numpy(), _pages((len(positions), *self._x.described.shape), self._x.dtype))
        if self._labels is None:
            labels = torch.full((len(positions),), MISSING_LABEL)
        else:
            labels = torch.from_numpy(self._labels[positions.numpy()])
        return _Piece(torch.from_numpy(x), positions, labels)

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


def _joined(parts: tuple[Tensor, ...]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts)
