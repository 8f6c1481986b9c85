"""The code as a lossy codec: quantised, entropy-coded, decoded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ae_lightning.judging.case import Case
from ae_lightning.judging.chunks import sample_rows
from ae_lightning.judging.encoded import EncodedSplit
from ae_lightning.judging.measure import Curve, Direction, Found, Measure
from ae_lightning.judging.numpy_model import NumpyModel
from ae_lightning.judging.pixels import psnr

BITS = (1, 2, 3, 4, 5, 6, 7, 8)
"""Bits of a dimension before entropy coding, along the curve."""

OPERATING_BITS = 5
"""The point of the curve that is logged as ``bits_per_pixel`` and ``compression_psnr``."""

MAX_COMPRESSED = 2_000
"""Images that are compressed; of larger splits a fixed random sample."""

MAX_COUNTED = 100_000
"""Training codes that give ranges and frequencies; of larger sets a fixed random sample."""


class Compression(Measure):
    """Rate and distortion of the quantised code."""

    name = "compression"
    goal = "compress"
    metrics: ClassVar[Mapping[str, Direction]] = {"bits_per_pixel": "none", "compression_psnr": "higher"}
    needs = frozenset({"model", "images", "code rate"})

    def compute(self, case: Case) -> Found:
        """See ``Measure.compute``."""
        bits = case.given_model.code_bits
        if bits is not None:
            curve = discrete_point(case.evaluated, case.given_model, bits, case.seed)
            return Found({"bits_per_pixel": curve["bits_per_pixel"][0], "compression_psnr": curve["psnr"][0]}, curve)
        curve = compression_curve(case.train, case.evaluated, case.given_model, case.seed)
        return Found(at_operating_point(curve), curve)


def discrete_point(evaluated: EncodedSplit, model: NumpyModel, bits: float, seed: int) -> Curve:
    """Rate and distortion of a code that is discrete: its own bits, and the reconstructions from it.

    Args:
        evaluated: Its images are compressed, at most ``MAX_COMPRESSED`` of them.
        model: Decodes.
        bits: Of an image's code.
        seed: Fixes the sample.

    Returns:
        Columns as of ``compression_curve``, of one row.
    """
    chosen = evaluated.sample(MAX_COMPRESSED, seed)
    num_pixels = chosen.x.shape[2] * chosen.x.shape[3]
    decoded = model.decode(chosen.decodable, chosen.labels)
    return {"bits": [bits], "bits_per_pixel": [bits / num_pixels], "psnr": [psnr(chosen.x, decoded)]}


def compression_curve(train: EncodedSplit, evaluated: EncodedSplit, model: NumpyModel, seed: int) -> Curve:
    """Rate and distortion of the code at 1 to 8 bits a dimension.

    A dimension is cut into 2ⁿ equal steps between its least and greatest training code, and codes beyond go to the
    outermost ones; a decoded code is the middle of its step. The rate is the length that an arithmetic coder gives a
    stream of images, −log₂ of each step's frequency among the training codes and one more, spread evenly over the steps
    (Ballé, Laparra and Simoncelli 2017 count it so too). Sender and receiver share decoder, ranges and frequencies
    beforehand.

    Args:
        train: Its codes give ranges and frequencies, at most ``MAX_COUNTED`` of them.
        evaluated: Its images are compressed, at most ``MAX_COMPRESSED`` of them.
        model: Encodes and decodes.
        seed: Fixes the samples.

    Returns:
        Columns ``bits`` (n), ``bits_per_pixel`` (a pixel's channels together) and ``psnr`` in dB.
    """
    chosen = evaluated.sample(MAX_COMPRESSED, seed)
    num_pixels = chosen.x.shape[2] * chosen.x.shape[3]
    curve: Curve = {"bits": [], "bits_per_pixel": [], "psnr": []}
    train_codes = sample_rows(train.codes, MAX_COUNTED, seed)
    for bits in BITS:
        quantiser = Quantiser(train_codes, bits)
        symbols = quantiser.symbols(chosen.codes)
        curve["bits"].append(float(bits))
        curve["bits_per_pixel"].append(quantiser.code_length(symbols) / len(chosen) / num_pixels)
        curve["psnr"].append(psnr(chosen.x, model.decode(quantiser.codes(symbols), chosen.labels)))
    return curve


class Quantiser:
    """Equal steps in each dimension, and how often each occurs in the training codes.

    Args:
        train_codes: Shape (N, d).
        bits: 2 to this power is the number of steps.
    """

    def __init__(self, train_codes: NDArray[np.float32], bits: int) -> None:
        self._num_steps = 2**bits
        self._low = train_codes.min(axis=0).astype(np.float64)
        self._step = (train_codes.max(axis=0) - self._low) / self._num_steps
        symbols = self.symbols(train_codes)
        counts = np.stack([np.bincount(column, minlength=self._num_steps) for column in symbols.T])
        counts = counts + 1 / self._num_steps
        self.frequencies: NDArray[np.float64] = counts / counts.sum(axis=1, keepdims=True)
        """Share of each step in each dimension, shape (d, steps); none is 0."""

    def symbols(self, codes: NDArray[np.float32]) -> NDArray[np.int64]:
        """Number of the step of each code in each dimension, shape (N, d)."""
        # A dimension that never varies has nothing to be divided by: all steps have one place there.
        varies = self._step > 0
        steps = np.where(varies, np.floor((codes - self._low) / np.where(varies, self._step, 1.0)), 0)
        return np.asarray(steps.clip(0, self._num_steps - 1), dtype=np.int64)

    def codes(self, symbols: NDArray[np.int64]) -> NDArray[np.float32]:
        """Middle of each step, shape (N, d)."""
        return np.asarray(self._low + (symbols + 0.5) * self._step, dtype=np.float32)

    def code_length(self, symbols: NDArray[np.int64]) -> float:
        """Bits that an ideal entropy coder needs for all symbols (Shannon 1948)."""
        return float(-np.log2(self.frequencies[np.arange(symbols.shape[1]), symbols]).sum())


def at_operating_point(curve: Curve) -> dict[str, float]:
    """Return ``bits_per_pixel`` and ``compression_psnr`` at ``OPERATING_BITS``."""
    point = BITS.index(OPERATING_BITS)
    return {"bits_per_pixel": curve["bits_per_pixel"][point], "compression_psnr": curve["psnr"][point]}
