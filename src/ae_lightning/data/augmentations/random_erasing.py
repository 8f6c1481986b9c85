"""`RandomErasing`: a rectangle of the image is hidden."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from ae_lightning.checks import require_share
from ae_lightning.data.augmentation import Augmentation, Range
from ae_lightning.data.augmentations.arguments import (
    Numbers,
    as_pixel,
    colour,
    interval,
    positive_interval,
    require_colour,
)
from ae_lightning.data.augmentations.rectangles import Rectangles, covered, draw_rectangles
from ae_lightning.draws import Draws
from ae_lightning.errors import ConfigError


class Erased(NamedTuple):
    """What of each image is hidden.

    Attributes:
        rectangles: Where.
        is_erased: Whether anything is, shape (B,).
        values: What shows there, shape (B, C, H, W); None where one colour does.
    """

    rectangles: Rectangles
    is_erased: Tensor
    values: Tensor | None


class RandomErasing(Augmentation[Erased]):
    """Hide a rectangle (Zhong et al. 2020, algorithm 1).

    Args:
        p: Probability of it.
        scale: Least and largest share of the image that is hidden.
        ratio: Least and largest height of the rectangle by its width.
        value: What shows there: one value, or one a channel, in the units of the images as scaled; or `random` for
            N(0, 1), clipped to the range of the values.
        inplace: Taken as torchvision takes it, and without meaning: batches are made anew.

    Raises:
        ConfigError: If an argument is not as described.
    """

    def __init__(
        self,
        p: float = 0.5,
        scale: Sequence[float] = (0.02, 0.33),
        ratio: Sequence[float] = (0.3, 3.3),
        value: Numbers | Literal["random"] = 0.0,
        inplace: bool = False,
    ) -> None:
        self.p = require_share(f"{self.key}.p", p)
        self.scale = scale
        self.ratio = ratio
        self.value = value
        self.inplace = inplace
        self._scale = interval(f"{self.key}.scale", scale, 0, 1)
        self._ratio = positive_interval(f"{self.key}.ratio", ratio)
        if isinstance(value, str) and value != "random":
            raise ConfigError(f"{self.key}.value: {value!r} is not allowed; the one word that it takes is random")
        self._value = None if value == "random" else colour(f"{self.key}.value", value)

    def require_takes(self, shape: tuple[int, int, int], value_range: Range | None) -> None:
        """Refuse images of other channels or values than the colour is of."""
        if self._value is not None:
            require_colour(f"{self.key}.value", self._value, shape[0], value_range)

    def draw(self, draws: Draws, shape: tuple[int, int, int]) -> Erased:
        """Draw a rectangle of each image, and whether it is hidden."""
        channels, height, width = shape
        is_wanted = draws.uniform() < self.p
        # The ratio is of height by width here.
        ratio = (1 / self._ratio[1], 1 / self._ratio[0])
        rectangles, is_there = draw_rectangles(
            draws, (height, width), self._scale, ratio, lambda heights, widths: (heights < height) & (widths < width)
        )
        values = draws.normal(channels, height, width) if self._value is None else None
        return Erased(rectangles, is_wanted & is_there, values)

    def change(self, x_BCHW: Tensor, drawn: Erased, value_range: Range | None) -> Tensor:
        """Hide what was drawn."""
        height, width = x_BCHW.shape[2:]
        hidden = covered(drawn.rectangles, (height, width)) & drawn.is_erased[:, None, None]
        values = drawn.values
        if values is None:
            values = as_pixel(self._value or (0.0,), x_BCHW)
        elif value_range is not None:
            values = values.clamp(*value_range)
        return torch.where(hidden[:, None], values, x_BCHW)
