"""What a measure may ask of whatever makes codes, be it a model or PCA."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]


@dataclass(frozen=True)
class NumpyModel:
    """An encoder and a decoder as functions on arrays, in memory bounded by their own chunks.

    Attributes:
        encode: From images (N, C, H, W) in [0, 1] to mean codes (N, d).
        decode: From codes (N, d) to images (N, C, H, W), which may lie outside [0, 1].
        restore: From images to their reconstructions, which may use an image's sum besides its code.
        draw_posterior: From images and a seed to codes as training draws them: of a VAE, samples of q(z | x); the mean
            codes where a code is no distribution.
        draw_prior: From a number and a seed to codes (number, d) of the prior.
    """

    encode: Callable[[Rows], Rows]
    decode: Callable[[Rows], Rows]
    restore: Callable[[Rows], Rows]
    draw_posterior: Callable[[Rows, int], Rows]
    draw_prior: Callable[[int, int], Rows]
