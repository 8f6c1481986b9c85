"""PCA at a rate: what a discrete code is held against, since 24 bits and 32 real numbers are no match."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ae_lightning.judging.cache import Arrays
from ae_lightning.judging.chunks import sample_rows
from ae_lightning.judging.numpy_model import Labels, NumpyModel, Rows
from ae_lightning.judging.pca import Bounds, FitSamples, fit_pca, flat, pca_model

MAX_COMPONENTS = 512
"""Components tried at most."""

MAX_COUNTED = 10_000
"""Training samples that step and rate are chosen on; of larger sets a fixed random sample."""

_NUM_HALVINGS = 24


@dataclass(frozen=True)
class Step:
    """A number of components and a width of quantisation, and what they cost on training samples.

    Attributes:
        num_components: Components that are sent.
        width: Of a step, the same for all of them, in the units of the samples.
        bits: Mean length of a sample's code, each component's symbols coded at their entropy.
        squared_error: Mean over samples of the sum over their values.
    """

    num_components: int
    width: float
    bits: float
    squared_error: float


def fitted_quantised_pca(
    samples: FitSamples, shape: tuple[int, ...], bits: float, seed: int, bounds: Bounds | None = None
) -> NumpyModel:
    """Give PCA, quantised and entropy-coded, at the largest rate not above a model's.

    Components are rounded to multiples of one step width, which is what a Gaussian source asks for at high rates
    (Gersho and Gray 1992, chapter 8), and each is coded at the entropy of its symbols among the training samples.
    Number and width are those of the least squared error on training samples at no more than so many bits.

    Args:
        samples: What PCA, number and width are fitted to.
        shape: Of a sample.
        bits: The model's bits of a sample.
        seed: Fixes the samples.
        bounds: As of ``fitted_pca``; number and width are chosen by the error without them.

    Returns:
        A model whose codes are the rounded components, and which says its bits.
    """
    fitted = samples.fitted(partial(_fit, bits=bits, seed=seed), "quantised pca", str(bits), seed)
    step = Step(*(fitted[name].item() for name in ("num_components", "width", "bits", "squared_error")))
    return _model(pca_model(fitted, shape, bounds), len(fitted["deviations"]), step)


def _fit(samples: Rows, bits: float, seed: int) -> Arrays:
    """Return what ``fit_pca`` does, and the fields of the best ``Step``."""
    rows = flat(sample_rows(samples, MAX_COUNTED, seed))
    fitted = fit_pca(rows, MAX_COMPONENTS, seed)
    components = pca_model(fitted, rows.shape[1:]).encode(rows)
    energy_left = float(np.square(rows - fitted["mean"], dtype=np.float64).sum(axis=1).mean()) - float(
        np.square(components, dtype=np.float64).sum(axis=1).mean()
    )
    step = choose_step(components, max(0.0, energy_left), bits)
    return fitted | {name: np.array(value) for name, value in asdict(step).items()}


def choose_step(components: NDArray[np.floating], energy_left: float, bits: float) -> Step:
    """Choose number and width on training samples.

    Args:
        components: Shape (N, K), those of largest variance first.
        energy_left: Mean squared norm of what lies outside of all K components.
        bits: Not to be exceeded.

    Returns:
        The step of least error at no more than so many bits; with 0 bits, one that rounds everything to the mean.
    """
    numbers = sorted({min(2**power, components.shape[1]) for power in range(12)})
    found = [_finest(components, number, energy_left, bits) for number in numbers]
    return min(found, key=lambda step: step.squared_error)


def _finest(components: NDArray[np.floating], number: int, energy_left: float, bits: float) -> Step:
    """Return the step of the largest rate not above the bits, of so many components."""
    sent = components[:, :number].astype(np.float64)
    left = energy_left + float(np.square(components[:, number:], dtype=np.float64).sum(axis=1).mean())
    # twice the largest value: everything becomes 0, at no bits
    coarse = 4 * float(np.abs(sent).max()) + 1e-12
    best = Step(number, coarse, 0.0, left + float(np.square(sent).sum(axis=1).mean()))
    low, high = np.log2(coarse) - 40, np.log2(coarse)
    for _ in range(_NUM_HALVINGS):
        middle = (low + high) / 2
        width = float(2**middle)
        symbols = np.rint(sent / width)
        rate = sum(_entropy(column) for column in symbols.T)
        if rate <= bits:
            high = middle
            error = left + float(np.square(sent - symbols * width).sum(axis=1).mean())
            best = Step(number, width, rate, error)
        else:
            low = middle
    return best


def _entropy(symbols: NDArray[np.float64]) -> float:
    """Return the entropy of symbols in bits (Shannon 1948)."""
    shares = np.unique(symbols, return_counts=True)[1] / len(symbols)
    return float(-(shares * np.log2(shares)).sum())


def _model(whole: NumpyModel, num_components: int, step: Step) -> NumpyModel:
    num = step.num_components

    def encode(images: Rows, given: Labels | None = None) -> Rows:
        symbols = np.rint(whole.encode(images)[:, :num] / step.width)
        return np.asarray(symbols * step.width, dtype=np.float32)

    def decode(codes: Rows, given: Labels | None = None) -> Rows:
        return whole.decode(np.pad(codes, ((0, 0), (0, num_components - num))))

    return replace(
        whole,
        encode=encode,
        decode=decode,
        restore=lambda images, given=None, like=None: decode(encode(images)),
        draw_posterior=lambda images, seed, given=None: encode(images),
        draw_prior=lambda num_drawn, seed, given=None: whole.draw_prior(num_drawn, seed)[:, :num],
        code_bits=step.bits,
    )
