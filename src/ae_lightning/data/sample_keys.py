"""What tells a sample from others at its source: a file's path, or a position in an array."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class SampleKeys:
    """The keys of some samples of a source, whose names all parts of it share.

    Attributes:
        source: Names of all samples of the source, or the name of the array that holds them.
        positions: Of these samples among all, int64, shape (N,).
    """

    source: Sequence[str]
    positions: Tensor

    def __len__(self) -> int:
        """Count the samples."""
        return len(self.positions)

    def __getitem__(self, place: int) -> str:
        """Return the key of a sample: its name, as `cats/1.png`, or its place in the array, as `x_test[1]`."""
        return self._key(int(self.positions[place]))

    def __iter__(self) -> Iterator[str]:
        """Yield all keys."""
        return map(self._key, self.positions.tolist())

    def select(self, indices: Tensor) -> SampleKeys:
        """Return the keys of the samples at some places, int64, shape (M,)."""
        return SampleKeys(self.source, self.positions[indices])

    def _key(self, position: int) -> str:
        return f"{self.source}[{position}]" if isinstance(self.source, str) else self.source[position]


def keys_of_array(name: str, num_samples: int) -> SampleKeys:
    """Return the keys of all samples of an array."""
    return SampleKeys(name, torch.arange(num_samples))


def keys_of_files(paths: Sequence[str]) -> SampleKeys:
    """Return the keys of files: their paths, below what all of them lie in."""
    return SampleKeys(tuple(paths), torch.arange(len(paths)))
