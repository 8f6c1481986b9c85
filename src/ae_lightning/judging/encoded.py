"""A split after one pass through a model: what every measure and picture starts from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ae_lightning.judging.chunks import sample_positions
from ae_lightning.labels import MISSING_LABEL

_RANGE_TOLERANCE = 1e-4


@dataclass(frozen=True)
class EncodedSplit:
    """Samples of a split with their codes, reconstructions and labels, in the same order.

    Attributes:
        x: Clean samples as scaled, float32: images (N, C, H, W), sequences (N, T, D) or vectors (N, D).
        codes: Mean codes, shape (N, d), float32.
        reconstructions: Decoded codes, of the shape of the samples, float32, or None where nothing needs them.
        labels: Class of each sample, shape (N,), int64, −1 where it is missing; None for an unlabelled split.
        latents: What the decoder takes, of any shape (N, …); None where that is the codes.
        value_range: Smallest and largest value of a clean sample; None where values have no bounds.

    Raises:
        ValueError: If a shape, a dtype or the range of the samples is another, or the split is empty.
    """

    x: NDArray[np.float32]
    codes: NDArray[np.float32]
    reconstructions: NDArray[np.float32] | None = None
    labels: NDArray[np.int64] | None = None
    latents: NDArray[Any] | None = None
    value_range: tuple[float, float] | None = (0.0, 1.0)

    def __post_init__(self) -> None:
        """Refuse arrays that do not belong together."""
        _require("x", self.x, np.float32, max(2, self.x.ndim))
        _require("codes", self.codes, np.float32, 2)
        if len(self.x) == 0:
            raise ValueError("an encoded split holds no samples")
        if len(self.codes) != len(self.x):
            raise ValueError(f"{len(self.codes)} codes for {len(self.x)} samples")
        _require_range(self.x, self.value_range)
        if self.reconstructions is not None:
            _require("reconstructions", self.reconstructions, np.float32, self.x.ndim)
            if self.reconstructions.shape != self.x.shape:
                raise ValueError(f"reconstructions of shape {self.reconstructions.shape} for samples of {self.x.shape}")
        if self.labels is not None:
            _require("labels", self.labels, np.int64, 1)
            if len(self.labels) != len(self.x):
                raise ValueError(f"{len(self.labels)} labels for {len(self.x)} samples")
            if self.labels.min() < MISSING_LABEL:
                raise ValueError(f"label {self.labels.min()}: classes start at 0, and −1 is a missing label")

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.x)

    @property
    def holds_images(self) -> bool:
        """Whether the samples can be shown as images: they have rows and columns, and their values bounds."""
        return self.x.ndim == 4 and self.value_range is not None

    @property
    def decodable(self) -> NDArray[Any]:
        """What the decoder takes: the latents, or the codes where these are what is decoded."""
        return self.codes if self.latents is None else self.latents

    @property
    def has_labels(self) -> bool:
        """Whether at least one sample has a label."""
        return self.labels is not None and bool((self.labels != MISSING_LABEL).any())

    def sample(self, num: int | None, seed: int) -> EncodedSplit:
        """Take a random subset that the seed fixes, in the order of the split.

        Args:
            num: Samples to take, at least 1; None or a number not below ``len(self)`` takes all.
            seed: Fixes the subset.

        Returns:
            The subset, or this very object where nothing is left out.

        Raises:
            ValueError: If ``num`` is below 1.
        """
        if num is not None and num < 1:
            raise ValueError(f"a sample of {num}; take at least 1, or None for all")
        chosen = None if num is None else sample_positions(len(self), num, seed)
        return self if chosen is None else self.select(chosen)

    def select(self, chosen: NDArray[np.int64] | NDArray[np.bool_]) -> EncodedSplit:
        """Take the samples at some positions, int64 or a mask, in their order there."""
        return EncodedSplit(
            x=self.x[chosen],
            codes=self.codes[chosen],
            reconstructions=None if self.reconstructions is None else self.reconstructions[chosen],
            labels=None if self.labels is None else self.labels[chosen],
            latents=None if self.latents is None else self.latents[chosen],
            value_range=self.value_range,
        )

    def labelled(self, num: int | None = None, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Codes and labels of the samples whose class is known.

        Args:
            num: Take at most that many of them, a fixed random sample in the order of the split; None for all.
            seed: Fixes the sample.

        Returns:
            Codes of shape (M, d) and labels of shape (M,), M ≤ N.

        Raises:
            ValueError: If no sample has a label.
        """
        if self.labels is None or not self.has_labels:
            raise ValueError("this split has no labels")
        known = self.labels != MISSING_LABEL
        codes, labels = (self.codes, self.labels) if known.all() else (self.codes[known], self.labels[known])
        chosen = None if num is None else sample_positions(len(codes), num, seed)
        return (codes, labels) if chosen is None else (codes[chosen], labels[chosen])


def _require(name: str, array: NDArray[np.generic], dtype: type[np.generic], num_axes: int) -> None:
    if array.dtype != dtype or array.ndim != num_axes:
        raise ValueError(
            f"{name}: {array.dtype} with {array.ndim} axes, where {np.dtype(dtype)} with {num_axes} is needed"
        )


def _require_range(x: NDArray[np.float32], value_range: tuple[float, float] | None) -> None:
    least, greatest = (-np.inf, np.inf) if value_range is None else value_range
    low, high = float(x.min()), float(x.max())
    # Written so that a NaN, which compares with nothing, is refused too.
    if not (low >= least - _RANGE_TOLERANCE and high <= greatest + _RANGE_TOLERANCE):
        raise ValueError(f"samples lie in [{low:g}, {high:g}], not in [{least:g}, {greatest:g}]")
