"""Corruptions of samples: pure functions of a sample and the random numbers that they use."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from ae_lightning.errors import ConfigError

CorruptionName = Literal["gaussian", "masking", "salt_and_pepper"]

Range = tuple[float, float]
"""Smallest and largest value of a sample."""


def gaussian(x: Tensor, noise: Tensor, std: float, value_range: Range | None = (0.0, 1.0)) -> Tensor:
    """Add noise, and clip to the range of the values where they have one, so that what comes out is a sample.

    Args:
        x: Samples, shape (B, …).
        noise: Draws from N(0, 1), of the same shape.
        std: Standard deviation of the noise, before clipping, in the units of the samples as scaled.
        value_range: Of the samples; None where they have no bounds.
    """
    noisy = x + std * noise
    return noisy if value_range is None else noisy.clamp(*value_range)


def masking(x: Tensor, uniform: Tensor, p: float) -> Tensor:
    """Set a share of the values to 0 (Vincent et al. 2008, section 2.3): black, or of standardised values the mean.

    Args:
        x: Samples, shape (B, …).
        uniform: Draws from U[0, 1), of the same shape.
        p: Probability that a value is set to 0.
    """
    return x * (uniform >= p)


def salt_and_pepper(x: Tensor, uniform: Tensor, p: float, value_range: Range = (0.0, 1.0)) -> Tensor:
    """Set a share of the values to the ends of their range, each as likely as the other (Vincent et al. 2010, 3.3).

    Args:
        x: Samples, shape (B, …).
        uniform: Draws from U[0, 1), of the same shape.
        p: Probability that a value is set.
        value_range: Of the samples.
    """
    low, high = value_range
    peppered = x.masked_fill(uniform < p / 2, low)
    return peppered.masked_fill(uniform >= 1 - p / 2, high)


def corrupt(
    x: Tensor, name: CorruptionName, draws: Tensor, level: float, value_range: Range | None = (0.0, 1.0)
) -> Tensor:
    """Apply a corruption by name.

    Args:
        x: Samples, shape (B, …).
        name: `gaussian`, `masking` or `salt_and_pepper`.
        draws: Draws from N(0, 1) for `gaussian`, from U[0, 1) for the others, of the same shape.
        level: Standard deviation for `gaussian`, share of the values for the others.
        value_range: Of the samples; None where they have no bounds, which `salt_and_pepper` cannot do without.

    Raises:
        ConfigError: If it is `salt_and_pepper`, and there are no bounds.
    """
    if name == "gaussian":
        return gaussian(x, draws, level, value_range)
    if name == "masking":
        return masking(x, draws, level)
    require_corruption(name, value_range)
    assert value_range is not None
    return salt_and_pepper(x, draws, level, value_range)


def require_corruption(name: CorruptionName, value_range: Range | None) -> None:
    """Refuse a corruption that such values do not allow.

    Raises:
        ConfigError: If it sets values to the ends of a range that there is not.
    """
    if name == "salt_and_pepper" and value_range is None:
        raise ConfigError(
            "model.corruption: salt_and_pepper sets values to the ends of their range, and these data's have none; "
            "gaussian and masking are allowed"
        )
