"""`RandomAffine`: turned, shifted, scaled and sheared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from ae_lightning.checks import require_name
from ae_lightning.data.augmentation import Augmentation, Range
from ae_lightning.data.augmentations.arguments import (
    Numbers,
    around,
    as_pixel,
    colour,
    numbers,
    positive_interval,
    require_colour,
    uniform,
)
from ae_lightning.draws import Draws
from ae_lightning.errors import ConfigError

Interpolation = Literal["nearest", "bilinear"]


class AffineMaps(NamedTuple):
    """How each image is moved about.

    Attributes:
        angle: In degrees, clockwise, shape (B,).
        translate: To the right and down, in whole pixels, shape (B, 2).
        scale: Shape (B,).
        shear: Along x and y, in degrees, shape (B, 2).
    """

    angle: Tensor
    translate: Tensor
    scale: Tensor
    shear: Tensor


class RandomAffine(Augmentation[AffineMaps]):
    """Turn, shift, scale and shear about a centre.

    Args:
        degrees: Angles from −degrees to degrees, or from the first number to the second.
        translate: Largest shift along x and y, as shares of width and height; none by default.
        scale: Smallest and largest factor; none by default.
        shear: Degrees along x, as `degrees`; four numbers have those along y too; none by default.
        interpolation: `nearest` or `bilinear`.
        fill: What shows where the image is moved away: one value, or one a channel, in the units of the images as
            scaled.
        center: What stays in place, x and y in pixels from the upper left corner; by default the image's centre.

    Raises:
        ConfigError: If an argument is not as described.
    """

    def __init__(
        self,
        degrees: Numbers,
        translate: Sequence[float] | None = None,
        scale: Sequence[float] | None = None,
        shear: Numbers | None = None,
        interpolation: Interpolation = "nearest",
        fill: Numbers = 0,
        center: Sequence[float] | None = None,
    ) -> None:
        self.degrees = degrees
        self.translate = translate
        self.scale = scale
        self.shear = shear
        self.interpolation: Interpolation = require_name(f"{self.key}.interpolation", interpolation, Interpolation)
        self.fill = fill
        self.center = center
        self._degrees = around(f"{self.key}.degrees", degrees)
        self._translate = numbers(f"{self.key}.translate", translate or (0, 0), (2,))
        if not 0 <= min(self._translate) <= max(self._translate) <= 1:
            raise ConfigError(f"{self.key}.translate: {translate!r} is not allowed; its shares must lie from 0 to 1")
        self._scale = positive_interval(f"{self.key}.scale", scale or (1, 1))
        along_x, along_y = (
            (shear[:2], shear[2:]) if isinstance(shear, Sequence) and len(shear) == 4 else (shear or 0, 0)
        )
        allowed = "a number or a list of 2 or 4 numbers"
        self._shear = tuple(around(f"{self.key}.shear", one, allowed=allowed) for one in (along_x, along_y))
        self._fill = colour(f"{self.key}.fill", fill)
        self._center = None if center is None else numbers(f"{self.key}.center", center, (2,))

    def require_takes(self, shape: tuple[int, int, int], value_range: Range | None) -> None:
        """Refuse images of other channels or values than the fill is of."""
        require_colour(f"{self.key}.fill", self._fill, shape[0], value_range)

    def draw(self, draws: Draws, shape: tuple[int, int, int]) -> AffineMaps:
        """Draw each parameter from its range."""
        _, height, width = shape
        angle, right, down, scale, shear_x, shear_y = draws.uniform(6).unbind(1)
        most = (self._translate[0] * width, self._translate[1] * height)
        shifts = [uniform(share, (-end, end)).round() for share, end in zip((right, down), most, strict=True)]
        shears = [uniform(share, ends) for share, ends in zip((shear_x, shear_y), self._shear, strict=True)]
        return AffineMaps(
            uniform(angle, self._degrees),
            torch.stack(shifts, dim=1),
            uniform(scale, self._scale),
            torch.stack(shears, dim=1),
        )

    def change(self, x_BCHW: Tensor, drawn: AffineMaps, value_range: Range | None) -> Tensor:
        """Read each pixel where its inverse map leads."""
        height, width = x_BCHW.shape[2:]
        from_x, from_y, to_x, to_y = self._inverse(drawn, height, width)
        # Of the centres of pixels, about the image's own: as rows and columns, which broadcast.
        columns_1W = torch.arange(width, device=x_BCHW.device, dtype=torch.float32)[None] - (width - 1) / 2
        rows_1H = torch.arange(height, device=x_BCHW.device, dtype=torch.float32)[None] - (height - 1) / 2
        grid_BHW2 = x_BCHW.new_empty(len(x_BCHW), height, width, 2)
        for place, (by_column, by_row, shift, side) in enumerate(((*from_x, to_x, width), (*from_y, to_y, height))):
            along_BW = torch.addcmul(shift[:, None], by_column[:, None], columns_1W).mul_(2 / side)
            along_BH = (by_row[:, None] * rows_1H).mul_(2 / side)
            torch.add(along_BW[:, None, :], along_BH[:, :, None], out=grid_BHW2[..., place])
        return self._sampled(x_BCHW, grid_BHW2)

    def _inverse(
        self, drawn: AffineMaps, height: int, width: int
    ) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor], Tensor, Tensor]:
        """Return the rows of each image's inverse matrix, and where they lead the centre, in pixels about the centre.

        M = T C R(angle) SHy(shear_y) SHx(shear_x) S(scale) C⁻¹, as torchvision has it.
        """
        turn, shear_x, shear_y = drawn.angle.deg2rad(), *drawn.shear.deg2rad().unbind(1)
        a = (turn - shear_y).cos() / shear_y.cos()
        b = -(a * shear_x.tan() + turn.sin())
        c = (turn - shear_y).sin() / shear_y.cos()
        d = turn.cos() - c * shear_x.tan()
        a, b, c, d = (entry / drawn.scale for entry in (d, -b, -c, a))
        centre_x, centre_y = self._center or (width / 2, height / 2)
        centre_x, centre_y = centre_x - width / 2, centre_y - height / 2
        right, down = drawn.translate.unbind(1)
        right, down = right + centre_x, down + centre_y
        return (a, b), (c, d), centre_x - a * right - b * down, centre_y - c * right - d * down

    def _sampled(self, x_BCHW: Tensor, grid_BHW2: Tensor) -> Tensor:
        """Return what lies at the places of a grid, in which images reach from −1 to 1, and beyond them the fill."""
        has_fill = any(self._fill)
        fill = as_pixel(self._fill, x_BCHW) if has_fill else None
        if self.interpolation == "nearest":
            # Beyond an image lie zeros: where the fill is taken for zero, they are it.
            given = x_BCHW if fill is None else x_BCHW - fill
            found = grid_sample(given, grid_BHW2, mode="nearest", padding_mode="zeros", align_corners=False)
            return found if fill is None else found.add_(fill)
        found = grid_sample(x_BCHW, grid_BHW2, mode="bilinear", padding_mode="zeros", align_corners=False)
        inside = self._share_inside(grid_BHW2)[:, None]
        return found.mul_(inside) if fill is None else found.sub_(fill).mul_(inside).add_(fill)

    @staticmethod
    def _share_inside(grid_BHW2: Tensor) -> Tensor:
        """Return how much of what is mixed at each place is of the image, shape (B, H, W)."""
        height, width = grid_BHW2.shape[1:3]
        shares = []
        for place, side in ((0, width), (1, height)):
            # From the image's middle to its last pixel's centre all is inside, and a pixel further nothing.
            shares.append(grid_BHW2[..., place].abs().mul_(-side / 2).add_((side + 1) / 2).clamp_(0, 1))
        return shares[0].mul_(shares[1])
