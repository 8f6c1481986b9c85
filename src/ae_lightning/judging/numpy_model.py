"""What a measure may ask of whatever makes codes, be it a model or PCA."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[Any]
"""One row a sample: float32, but for latents that are indices."""

Labels = NDArray[np.int64]
"""Classes of samples, −1 where missing."""


class RowsToRows(Protocol):
    """From rows, and classes of a model that needs them, to rows; without classes it takes one after the other."""

    def __call__(self, rows: Rows, given: Labels | None = None, /) -> Rows:
        """Apply."""


class Restoring(Protocol):
    """As `RowsToRows`, from images to what they show; a softmax's probabilities take the sum of those to be `like`."""

    def __call__(self, images: Rows, given: Labels | None = None, like: Rows | None = None, /) -> Rows:
        """Reconstruct; without `like`, an image is to be like itself."""


class DrawnRows(Protocol):
    """As `RowsToRows`, with a seed that fixes what is drawn."""

    def __call__(self, rows: Rows, seed: int, given: Labels | None = None, /) -> Rows:
        """Apply."""


class DrawnLatents(Protocol):
    """Latents of a number of samples, the same ones for a seed; classes as `RowsToRows` takes them."""

    def __call__(self, num: int, seed: int, given: Labels | None = None, /) -> Rows:
        """Draw."""


@dataclass(frozen=True)
class NumpySampler:
    """What draws latents of samples in place of the prior.

    Attributes:
        name: Of its class.
        draw: From a number and a seed to latents.
    """

    name: str
    draw: DrawnLatents


@dataclass(frozen=True)
class NumpyModel:
    """An encoder and a decoder as functions on arrays, in memory bounded by their own chunks.

    Codes are what measures look at, (N, F); latents are what is decoded, of any shape: of most models the same.

    Attributes:
        encode: From samples (N, …) to mean codes.
        decode: From latents to samples, which may lie outside the range of clean ones.
        restore: From samples to their reconstructions, which may use a sample's sum besides its latent; of damaged
            samples, the sums of the clean ones that they are to be like.
        draw_posterior: From samples and a seed to codes as training draws them: of a VAE, samples of q(z | x); the mean
            codes where a code is no distribution.
        draw_prior: From a number and a seed to latents of the prior.
        features: From latents to codes.
        assign: From latents to the probabilities of the model's own clusters, shape (N, K); None where it has none.
        code_bits: Bits of a latent where it is discrete; None where it is of real numbers.
        is_bounded: Whether an output activation keeps what is decoded in bounds, as those of the samples do.
        num_given: Classes that encoder and decoder are given; 0 where they are given none.
        sampler: What draws latents of samples; None where that is the prior.
    """

    encode: RowsToRows
    decode: RowsToRows
    restore: Restoring
    draw_posterior: DrawnRows
    draw_prior: DrawnLatents
    features: Callable[[Rows], Rows]
    assign: Callable[[Rows], Rows] | None = None
    code_bits: float | None = None
    is_bounded: bool = False
    num_given: int = 0
    sampler: NumpySampler | None = None

    @property
    def draw_samples(self) -> DrawnLatents:
        """From a number and a seed to latents of samples."""
        return self.draw_prior if self.sampler is None else self.sampler.draw

    def classes_in_turn(self, num: int) -> Labels | None:
        """Return one class after the other, shape (num,), where the model is given classes."""
        return np.arange(num) % self.num_given if self.num_given else None
