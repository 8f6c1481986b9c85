"""`RandomCrop`: a part of a padded image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from ae_lightning.checks import require_name
from ae_lightning.data.augmentation import Augmentation, Range
from ae_lightning.data.augmentations.arguments import Numbers, as_pixel, colour, require_colour, sides, whole
from ae_lightning.draws import Draws
from ae_lightning.errors import ConfigError

PaddingMode = Literal["constant", "edge", "reflect", "symmetric"]


class Corners(NamedTuple):
    """Where each crop begins within the padded image, int64, shape (B,) each.

    Attributes:
        top: Its first row.
        left: Its first column.
    """

    top: Tensor
    left: Tensor


class RandomCrop(Augmentation[Corners]):
    """Pad, and keep a part of it.

    Args:
        size: Height and width of the part, or one number for both.
        padding: Pixels at each side; two numbers for left and right, and for top and bottom; or four for left, top,
            right and bottom. None by default.
        pad_if_needed: Whether to pad further what is smaller than the part.
        fill: What a `constant` padding shows: one value, or one a channel, in the units of the images as scaled.
        padding_mode: `constant`; `edge` repeats the outermost pixel; `reflect` mirrors without it, `symmetric` with it.

    Raises:
        ConfigError: If an argument is not as described.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        padding: int | Sequence[int] | None = None,
        pad_if_needed: bool = False,
        fill: Numbers = 0,
        padding_mode: PaddingMode = "constant",
    ) -> None:
        self.size = size
        self.padding = padding
        self.pad_if_needed = pad_if_needed
        self.fill = fill
        self.padding_mode: PaddingMode = require_name(f"{self.key}.padding_mode", padding_mode, PaddingMode)
        self._size = sides(f"{self.key}.size", size)
        self._padding = _paddings(f"{self.key}.padding", padding)
        self._fill = colour(f"{self.key}.fill", fill)

    def require_takes(self, shape: tuple[int, int, int], value_range: Range | None) -> None:
        """Refuse images that are too small, or of other channels or values than the fill is of."""
        require_colour(f"{self.key}.fill", self._fill, shape[0], value_range)
        for side, wanted, (before, after) in zip(shape[1:], self._size, self._padded(shape), strict=True):
            if before + side + after < wanted:
                raise ConfigError(
                    f"{self.key}.size: {wanted} pixels are more than the {before + side + after} of a padded image"
                )
            most = side - (self.padding_mode == "reflect")
            if self.padding_mode in ("reflect", "symmetric") and max(before, after) > most:
                raise ConfigError(
                    f"{self.key}.padding: {self.padding_mode} pads {side} pixels by at most {most}, and not by "
                    f"{max(before, after)}"
                )

    def draw(self, draws: Draws, shape: tuple[int, int, int]) -> Corners:
        """Draw where each crop begins, each place as likely."""
        shares = draws.uniform(2).unbind(1)
        places = zip(shares, shape[1:], self._size, self._padded(shape), strict=True)
        top, left = (
            whole(share, before + side + after - size + 1).long() for share, side, size, (before, after) in places
        )
        return Corners(top, left)

    def change(self, x_BCHW: Tensor, drawn: Corners, value_range: Range | None) -> Tensor:
        """Read the pixels that each crop shows; what is padded is made nowhere."""
        _, channels, height, width = x_BCHW.shape
        vertical, horizontal = self._padded((channels, height, width))
        rows_Bh = self._along(drawn.top - vertical[0], self._size[0])
        columns_Bw = self._along(drawn.left - horizontal[0], self._size[1])
        images_B11 = torch.arange(len(x_BCHW), device=x_BCHW.device)[:, None, None]
        seen_Bh1, seen_B1w = self._seen(rows_Bh, height)[:, :, None], self._seen(columns_Bw, width)[:, None, :]
        # As (B, H, W, C), which is how `channels_last` lies in memory.
        cropped = x_BCHW.permute(0, 2, 3, 1)[images_B11, seen_Bh1, seen_B1w].permute(0, 3, 1, 2)
        if self.padding_mode != "constant":
            return cropped
        is_inside = (seen_Bh1 == rows_Bh[:, :, None]) & (seen_B1w == columns_Bw[:, None, :])
        return torch.where(is_inside[:, None], cropped, as_pixel(self._fill, x_BCHW))

    @staticmethod
    def _along(first_B: Tensor, size: int) -> Tensor:
        return first_B[:, None] + torch.arange(size, device=first_B.device)

    def _seen(self, places: Tensor, side: int) -> Tensor:
        """Return the pixels that a padded image shows at places along an axis, 0 being its own first."""
        if self.padding_mode == "reflect":
            places = (side - 1) - ((side - 1) - places.abs()).abs()
        elif self.padding_mode == "symmetric":
            places = torch.where(places < 0, -1 - places, places)
            places = torch.where(places < side, places, 2 * side - 1 - places)
        return places.clamp(0, side - 1)

    def _padded(self, shape: tuple[int, int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return how many pixels are padded above and below, and to the left and right."""
        above, below, left, right = self._padding
        more = [
            max(0, wanted - (before + side + after)) if self.pad_if_needed else 0
            for wanted, before, side, after in zip(self._size, (above, left), shape[1:], (below, right), strict=True)
        ]
        return (above + more[0], below + more[0]), (left + more[1], right + more[1])


def _paddings(key: str, value: int | Sequence[int] | None) -> tuple[int, int, int, int]:
    """Return pixels above, below, to the left and to the right."""
    given = [value or 0] if value is None or isinstance(value, int) else value
    is_list = isinstance(given, Sequence) and len(given) in (1, 2, 4)
    if not is_list or not all(type(one) is int and one >= 0 for one in given):
        raise ConfigError(f"{key}: {value!r} is not allowed; it must be 1, 2 or 4 whole numbers from 0 on")
    left, top, right, bottom = {1: [*given] * 4, 2: [*given] * 2, 4: [*given]}[len(given)]
    return top, bottom, left, right
