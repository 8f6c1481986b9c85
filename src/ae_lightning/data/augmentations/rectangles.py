"""Rectangles of random area and shape within images."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ae_lightning.data.augmentations.arguments import Interval, uniform, whole
from ae_lightning.draws import Draws

NUM_TRIES = 10
"""Rectangles that are drawn for an image, of which the first that fits is taken."""


class Rectangles(NamedTuple):
    """One rectangle of each image, in whole pixels, float32, shape (B,) each.

    Attributes:
        top: Its first row.
        left: Its first column.
        height: How many rows it has.
        width: How many columns it has.
    """

    top: Tensor
    left: Tensor
    height: Tensor
    width: Tensor


def draw_rectangles(
    draws: Draws,
    sides: tuple[int, int],
    scale: Interval,
    ratio: Interval,
    fits: Callable[[Tensor, Tensor], Tensor],
) -> tuple[Rectangles, Tensor]:
    """Draw a rectangle for each image, up to ten times.

    Args:
        draws: The random numbers of the batch.
        sides: Height and width of the images.
        scale: Of the rectangle's area, as a share of the image's.
        ratio: Of its width by its height; the logarithm is drawn uniformly.
        fits: Says of heights and widths whether they are taken.

    Returns:
        The first that fits of each image, and whether there is any, shape (B,).
    """
    height, width = sides
    area, shape, down, right = draws.uniform(NUM_TRIES, 4).unbind(2)
    areas = uniform(area, scale) * (height * width)
    ratios = uniform(shape, (math.log(ratio[0]), math.log(ratio[1]))).exp()
    widths, heights = (areas * ratios).sqrt().round(), (areas / ratios).sqrt().round()
    is_fitting = fits(heights, widths)
    first = is_fitting.byte().argmax(dim=1, keepdim=True)
    drawn = [
        tensor.gather(1, first)[:, 0]
        for tensor in (whole(down, height - heights + 1), whole(right, width - widths + 1), heights, widths)
    ]
    return Rectangles(*drawn), is_fitting.any(dim=1)


def covered(rectangles: Rectangles, sides: tuple[int, int]) -> Tensor:
    """Return which pixels of each image its rectangle covers: bool, shape (B, H, W)."""
    rows, columns = (
        _between(first, number, side) for first, number, side in zip(rectangles[:2], rectangles[2:], sides, strict=True)
    )
    return rows[:, :, None] & columns[:, None, :]


def _between(first: Tensor, number: Tensor, side: int) -> Tensor:
    places = torch.arange(side, device=first.device)
    return (places >= first[:, None]) & (places < (first + number)[:, None])
