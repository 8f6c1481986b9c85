"""Corruptions of images: pure functions of an image and the random numbers that they use."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

CorruptionName = Literal["gaussian", "masking", "salt_and_pepper"]


def gaussian(x_BCHW: Tensor, noise_BCHW: Tensor, std: float) -> Tensor:
    """Add noise and clip to [0, 1], so that what comes out is an image.

    Args:
        x_BCHW: Images in [0, 1].
        noise_BCHW: Draws from N(0, 1).
        std: Standard deviation of the noise, before clipping.
    """
    return (x_BCHW + std * noise_BCHW).clamp(0, 1)


def masking(x_BCHW: Tensor, uniform_BCHW: Tensor, p: float) -> Tensor:
    """Set a share of the values to 0 (Vincent et al. 2008, section 2.3).

    Args:
        x_BCHW: Images in [0, 1].
        uniform_BCHW: Draws from U[0, 1).
        p: Probability that a value is set to 0.
    """
    return x_BCHW * (uniform_BCHW >= p)


def salt_and_pepper(x_BCHW: Tensor, uniform_BCHW: Tensor, p: float) -> Tensor:
    """Set a share of the values to 0 or 1, each as likely as the other (Vincent et al. 2010, section 3.3).

    Args:
        x_BCHW: Images in [0, 1].
        uniform_BCHW: Draws from U[0, 1).
        p: Probability that a value is set.
    """
    peppered = x_BCHW.masked_fill(uniform_BCHW < p / 2, 0.0)
    return peppered.masked_fill(uniform_BCHW >= 1 - p / 2, 1.0)


def corrupt(x_BCHW: Tensor, name: CorruptionName, draws_BCHW: Tensor, level: float) -> Tensor:
    """Apply a corruption by name.

    Args:
        x_BCHW: Images in [0, 1].
        name: `gaussian`, `masking` or `salt_and_pepper`.
        draws_BCHW: Draws from N(0, 1) for `gaussian`, from U[0, 1) for the others.
        level: Standard deviation for `gaussian`, share of the values for the others.
    """
    return {"gaussian": gaussian, "masking": masking, "salt_and_pepper": salt_and_pepper}[name](
        x_BCHW, draws_BCHW, level
    )
