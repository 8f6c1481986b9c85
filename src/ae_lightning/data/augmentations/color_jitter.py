"""`ColorJitter`: brightness, contrast, saturation and hue."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ae_lightning.data.augmentation import Augmentation, Range
from ae_lightning.data.augmentations.arguments import Numbers, around, uniform
from ae_lightning.draws import Draws
from ae_lightning.errors import ConfigError

NAMES = ("brightness", "contrast", "saturation", "hue")

GREY_OF_RGB = (0.2989, 0.587, 0.114)
"""Weights of red, green and blue (ITU-R BT.601), as torchvision rounds them."""

TINY = torch.finfo(torch.float32).tiny


class Jitter(NamedTuple):
    """What becomes of each image's colours.

    Attributes:
        order: For each of ``NAMES`` its place in the order in which they are changed, shape (B, 4).
        factors: Of brightness, contrast and saturation, and the shift of the hue in turns, shape (B, 4).
    """

    order: Tensor
    factors: Tensor


class ColorJitter(Augmentation[Jitter]):
    """Change brightness, contrast, saturation and hue, in an order of each image's own.

    Of grey images brightness and contrast alone. Each argument is left out, or one number for factors from
    max(0, 1 − number) to 1 + number, or their ends.

    Args:
        brightness: Factors of the values.
        contrast: Factors of their distance to the image's mean grey.
        saturation: Factors of their distance to the pixel's grey.
        hue: Shifts of the hue in turns: one number up to 0.5 for −number to number, or their ends.

    Raises:
        ConfigError: If an argument is not as described.
    """

    def __init__(
        self,
        brightness: Numbers | None = None,
        contrast: Numbers | None = None,
        saturation: Numbers | None = None,
        hue: Numbers | None = None,
    ) -> None:
        self.brightness = brightness
        self.contrast = contrast
        self.saturation = saturation
        self.hue = hue
        given = dict(zip(NAMES, (brightness, contrast, saturation, hue), strict=True))
        self._ranges = {
            name: around(f"{self.key}.{name}", value, 0.0, -0.5, 0.5)
            if name == "hue"
            else around(f"{self.key}.{name}", value, 1.0, 0.0)
            for name, value in given.items()
            if value is not None
        }

    def require_takes(self, shape: tuple[int, int, int], value_range: Range | None) -> None:
        """Refuse what has no colours: other than one or three channels, or values other than from 0 to 1."""
        if shape[0] not in (1, 3):
            raise ConfigError(f"{self.key}: it takes images of 1 or 3 channels, and these have {shape[0]}")
        if value_range != (0.0, 1.0):
            raise ConfigError(f"{self.key}: it takes values from 0 to 1, which data.scaling unit gives")

    def draw(self, draws: Draws, shape: tuple[int, int, int]) -> Jitter:
        """Draw the order and the factors."""
        shares = draws.uniform(2 * len(NAMES))
        factors = [
            uniform(share, self._ranges.get(name, (1.0, 1.0)))
            for name, share in zip(NAMES, shares[:, len(NAMES) :].unbind(1), strict=True)
        ]
        return Jitter(shares[:, : len(NAMES)].argsort(dim=1), torch.stack(factors, dim=1))

    def change(self, x_BCHW: Tensor, drawn: Jitter, value_range: Range | None) -> Tensor:
        """Change one thing of each image after the other."""
        is_grey = x_BCHW.shape[1] == 1
        names = [name for name in self._ranges if not (is_grey and name in ("saturation", "hue"))]
        columns = [NAMES.index(name) for name in names]
        # The order of those that are changed, and not of all four.
        order = drawn.order[:, columns].argsort(dim=1).argsort(dim=1)
        # Channel after channel, as colours are computed.
        x_BCHW = x_BCHW.contiguous()
        for turn in range(len(names)):
            changed = torch.empty_like(x_BCHW)
            for place, (name, column) in enumerate(zip(names, columns, strict=True)):
                is_due = order[:, place] == turn
                changed = _put(is_due, changed, x_BCHW, CHANGES[name], drawn.factors[:, column])
            x_BCHW = changed
        return x_BCHW


def counts_at_once(x: Tensor) -> bool:
    """Whether it can be asked how many of a batch are chosen without waiting for the device."""
    return x.device.type == "cpu"


def _put(
    is_due: Tensor, changed: Tensor, x_BCHW: Tensor, change: Callable[[Tensor, Tensor], Tensor], factors_B: Tensor
) -> Tensor:
    """Put what is made of some images into their places among those that are changed.

    On a CPU these alone are computed. Elsewhere all are: to count them would wait for the device.
    """
    if counts_at_once(x_BCHW):
        rows = is_due.nonzero()[:, 0]
        return changed.index_copy_(0, rows, change(x_BCHW[rows], factors_B[rows]))
    return torch.where(is_due[:, None, None, None], change(x_BCHW, factors_B), changed)


def _grey(x_BCHW: Tensor) -> Tensor:
    """Return the grey of each pixel, shape (B, 1, H, W)."""
    if x_BCHW.shape[1] == 1:
        return x_BCHW
    red, green, blue = x_BCHW.unbind(1)
    return (GREY_OF_RGB[0] * red + GREY_OF_RGB[1] * green + GREY_OF_RGB[2] * blue)[:, None]


def _away_from(x_BCHW: Tensor, other: Tensor, factors_B: Tensor) -> Tensor:
    """Move values to another, or away from it, within 0 and 1."""
    return torch.lerp(other.expand_as(x_BCHW), x_BCHW, factors_B[:, None, None, None]).clamp_(0, 1)


def _brightened(x_BCHW: Tensor, factors_B: Tensor) -> Tensor:
    return (x_BCHW * factors_B[:, None, None, None]).clamp_(0, 1)


def _contrasted(x_BCHW: Tensor, factors_B: Tensor) -> Tensor:
    return _away_from(x_BCHW, _grey(x_BCHW).mean(dim=(1, 2, 3), keepdim=True), factors_B)


def _saturated(x_BCHW: Tensor, factors_B: Tensor) -> Tensor:
    return _away_from(x_BCHW, _grey(x_BCHW), factors_B)


def _turned(x_BCHW: Tensor, turns_B: Tensor) -> Tensor:
    """Shift the hue (Smith 1978), in turns."""
    red, green, blue = x_BCHW.unbind(1)
    # Three maps by pairs: a reduction over so short an axis takes ten times as long.
    least, value = red.minimum(green).minimum(blue), red.maximum(green).maximum(blue)
    chroma = value - least
    # In sixths of a turn, from the channel that is largest; of greys, which have no hue, zero.
    sixths = torch.where(
        value == red,
        green - blue,
        torch.where(
            value == green,
            torch.add(blue - red, chroma, alpha=2),
            torch.add(red - green, chroma, alpha=4),
        ),
    )
    turns = sixths.div_(6 * chroma.clamp_min(TINY)).add_(turns_B[:, None, None])
    sixths = turns.sub_(turns.floor()).mul_(6)
    shares = (
        (sixths - 3).abs_().sub_(1),
        (sixths - 2).abs_().neg_().add_(2),
        (sixths - 4).abs_().neg_().add_(2),
    )
    return torch.stack([share.clamp_(0, 1).mul_(chroma).add_(least) for share in shares], dim=1)


CHANGES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "brightness": _brightened,
    "contrast": _contrasted,
    "saturation": _saturated,
    "hue": _turned,
}
