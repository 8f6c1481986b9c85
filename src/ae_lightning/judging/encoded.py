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
    """Images of a split with their codes, reconstructions and labels, in the same order.

    Attributes:
        images: Clean images in [0, 1], shape (N, C, H, W), float32.
        codes: Mean codes, shape (N, d), float32.
        reconstructions: Decoded codes, shape (N, C, H, W), float32, or None where nothing needs them.
        labels: Class of each image, shape (N,), int64, −1 where it is missing; None for an unlabelled split.
        latents: What the decoder takes, of any shape (N, …); None where that is the codes.

    Raises:
        ValueError: If a shape, a dtype or the range of the images is another, or the split is empty.
    """

    images: NDArray[np.float32]
    codes: NDArray[np.float32]
    reconstructions: NDArray[np.float32] | None = None
    labels: NDArray[np.int64] | None = None
    latents: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        """Refuse arrays that do not belong together."""
        _require("images", self.images, np.float32, 4)
        _require("codes", self.codes, np.float32, 2)
        if len(self.images) == 0:
            raise ValueError("an encoded split holds no images")
        if len(self.codes) != len(self.images):
            raise ValueError(f"{len(self.codes)} codes for {len(self.images)} images")
        _require_unit_range(self.images)
        if self.reconstructions is not None:
            _require("reconstructions", self.reconstructions, np.float32, 4)
            if self.reconstructions.shape != self.images.shape:
                raise ValueError(
                    f"reconstructions of shape {self.reconstructions.shape} for images of {self.images.shape}"
                )
        if self.labels is not None:
            _require("labels", self.labels, np.int64, 1)
            if len(self.labels) != len(self.images):
                raise ValueError(f"{len(self.labels)} labels for {len(self.images)} images")
            if self.labels.min() < MISSING_LABEL:
                raise ValueError(f"label {self.labels.min()}: classes start at 0, and −1 is a missing label")

    def __len__(self) -> int:
        """Number of images."""
        return len(self.images)

    @property
    def decodable(self) -> NDArray[Any]:
        """What the decoder takes: the latents, or the codes where these are what is decoded."""
        return self.codes if self.latents is None else self.latents

    @property
    def has_labels(self) -> bool:
        """Whether at least one image has a label."""
        return self.labels is not None and bool((self.labels != MISSING_LABEL).any())

    def sample(self, num: int | None, seed: int) -> EncodedSplit:
        """Take a random subset that the seed fixes, in the order of the split.

        Args:
            num: Images to take, at least 1; None or a number not below ``len(self)`` takes all.
            seed: Fixes the subset.

        Returns:
            The subset, or this very object where nothing is left out.

        Raises:
            ValueError: If ``num`` is below 1.
        """
        if num is not None and num < 1:
            raise ValueError(f"a sample of {num} images; take at least 1, or None for all")
        chosen = None if num is None else sample_positions(len(self), num, seed)
        return self if chosen is None else self.select(chosen)

    def select(self, chosen: NDArray[np.int64] | NDArray[np.bool_]) -> EncodedSplit:
        """Take the images at some positions, int64 or a mask, in their order there."""
        return EncodedSplit(
            images=self.images[chosen],
            codes=self.codes[chosen],
            reconstructions=None if self.reconstructions is None else self.reconstructions[chosen],
            labels=None if self.labels is None else self.labels[chosen],
            latents=None if self.latents is None else self.latents[chosen],
        )

    def labelled(self, num: int | None = None, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Codes and labels of the images whose class is known.

        Args:
            num: Take at most that many of them, a fixed random sample in the order of the split; None for all.
            seed: Fixes the sample.

        Returns:
            Codes of shape (M, d) and labels of shape (M,), M ≤ N.

        Raises:
            ValueError: If no image has a label.
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


def _require_unit_range(images: NDArray[np.float32]) -> None:
    low, high = float(images.min()), float(images.max())
    # Written so that a NaN, which compares with nothing, is refused too.
    if not (low >= -_RANGE_TOLERANCE and high <= 1 + _RANGE_TOLERANCE):
        raise ValueError(f"images lie in [{low:g}, {high:g}], not in [0, 1]")
