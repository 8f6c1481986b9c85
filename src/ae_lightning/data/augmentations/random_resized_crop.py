"""`RandomResizedCrop`: a part of the image, brought to one size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from ae_lightning.checks import require_name
from ae_lightning.data.augmentation import Augmentation, Range
from ae_lightning.data.augmentations.arguments import interval, positive_interval, sides
from ae_lightning.data.augmentations.rectangles import Rectangles, draw_rectangles
from ae_lightning.data.augmentations.resampling import mixed
from ae_lightning.draws import Draws
from ae_lightning.errors import ConfigError

Interpolation = Literal["nearest", "bilinear"]


class RandomResizedCrop(Augmentation[Rectangles]):
    """Keep a part of random area and shape, and resize it (Szegedy et al. 2015, section 6).

    Args:
        size: Height and width of the result, or one number for both.
        scale: Least and largest share of the image that is kept.
        ratio: Least and largest width of the part by its height.
        interpolation: `nearest` or `bilinear`.
        antialias: Whether `bilinear` averages where it makes the part smaller.

    Raises:
        ConfigError: If an argument is not as described.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        scale: Sequence[float] = (0.08, 1.0),
        ratio: Sequence[float] = (3 / 4, 4 / 3),
        interpolation: Interpolation = "bilinear",
        antialias: bool = True,
    ) -> None:
        self.size = size
        self.scale = scale
        self.ratio = ratio
        self.interpolation: Interpolation = require_name(f"{self.key}.interpolation", interpolation, Interpolation)
        self.antialias = antialias
        self._size = sides(f"{self.key}.size", size)
        self._scale = interval(f"{self.key}.scale", scale, 0)
        self._ratio = positive_interval(f"{self.key}.ratio", ratio)
        if self._scale[1] == 0:
            raise ConfigError(f"{self.key}.scale: {scale!r} is not allowed; its upper end must be above 0")

    def draw(self, draws: Draws, shape: tuple[int, int, int]) -> Rectangles:
        """Draw a part of each image; where none of ten fits, take the largest in the middle that the ratio allows."""
        _, height, width = shape
        drawn, is_there = draw_rectangles(
            draws,
            (height, width),
            self._scale,
            self._ratio,
            lambda heights, widths: (heights > 0) & (widths > 0) & (heights <= height) & (widths <= width),
        )
        narrowest, widest = self._ratio
        kept_height = round(width / narrowest) if width / height < narrowest else height
        kept_width = round(height * widest) if width / height > widest else width
        central = ((height - kept_height) // 2, (width - kept_width) // 2, kept_height, kept_width)
        # A number among tensors is on any device.
        return Rectangles(
            *(torch.where(is_there, one, float(other)) for one, other in zip(drawn, central, strict=True))
        )

    def change(self, x_BCHW: Tensor, drawn: Rectangles, value_range: Range | None) -> Tensor:
        """Resize each image's part."""
        height, width = x_BCHW.shape[2:]
        down_BhH = self._weights(drawn.top, drawn.height, height, self._size[0])
        across_BwW = self._weights(drawn.left, drawn.width, width, self._size[1])
        resized = mixed(x_BCHW, down_BhH, across_BwW)
        # Products may be rounded: on a GPU, to ten bits.
        return resized if value_range is None else resized.clamp(*value_range)

    def _weights(self, first_B: Tensor, number_B: Tensor, side: int, size: int) -> Tensor:
        """Return what each of ``size`` places of a part takes from every pixel of the image: shape (B, size, side)."""
        step_B11 = (number_B / size)[:, None, None]
        places_1S1 = torch.arange(size, device=first_B.device, dtype=torch.float32)[None, :, None]
        pixels_B1S = torch.arange(side, device=first_B.device) - first_B[:, None, None]
        last_B11 = number_B[:, None, None] - 1
        is_within = (pixels_B1S >= 0) & (pixels_B1S <= last_B11)
        if self.interpolation == "nearest":
            seen = (places_1S1 * step_B11).floor().minimum(last_B11)
            return (pixels_B1S == seen).float()
        middles = (places_1S1 + 0.5) * step_B11 - 0.5
        if not self.antialias:
            middles = middles.clamp_min(0).minimum(last_B11)
            return (1 - (pixels_B1S - middles).abs()).clamp_min(0) * is_within
        weights = (1 - (pixels_B1S - middles).abs() / step_B11.clamp_min(1)).clamp_min(0) * is_within
        return weights / weights.sum(dim=2, keepdim=True)
