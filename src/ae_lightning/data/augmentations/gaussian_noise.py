"""`GaussianNoise`: each value with noise of its own."""

from __future__ import annotations

from torch import Tensor

from ae_lightning.checks import require_non_negative
from ae_lightning.data.augmentation import Augmentation, Range
from ae_lightning.data.augmentations.arguments import is_number
from ae_lightning.draws import Draws
from ae_lightning.errors import ConfigError


class GaussianNoise(Augmentation[Tensor]):
    """Add noise to each value.

    Args:
        mean: Of the noise, in the units of the images as scaled.
        sigma: Its standard deviation.
        clip: Whether to clip to the range of the values, where they have one.

    Raises:
        ConfigError: If sigma is negative, or either is no number.
    """

    def __init__(self, mean: float = 0.0, sigma: float = 0.1, clip: bool = True) -> None:
        if not is_number(mean):
            raise ConfigError(f"{self.key}.mean: {mean!r} is not allowed; it must be a number")
        self.mean = mean
        self.sigma = require_non_negative(f"{self.key}.sigma", sigma)
        self.clip = clip

    def draw(self, draws: Draws, shape: tuple[int, int, int]) -> Tensor:
        """Draw the noise: shape (B, C, H, W)."""
        return draws.normal(*shape)

    def change(self, x_BCHW: Tensor, drawn: Tensor, value_range: Range | None) -> Tensor:
        """Add it."""
        noisy = x_BCHW.add(drawn, alpha=self.sigma)
        if self.mean:
            noisy.add_(self.mean)
        return noisy if value_range is None or not self.clip else noisy.clamp_(*value_range)
