"""What becomes of the aspect ratios of a whole set of images."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple, get_args

from ae_lightning.data.image_folder.decoding import Resize

MAX_SQUASHED = 0.05
"""A change of the aspect ratio that is hardly seen."""


class Resizing(NamedTuple):
    """How images are brought to one size.

    Attributes:
        size: Width and height, in pixels.
        resize: What becomes of another aspect ratio.
        note: What a run says of it; None where all have that size.
    """

    size: tuple[int, int]
    resize: Resize
    note: str | None


def choose_resizing(sizes: Collection[tuple[int, int]], size: tuple[int, int], resize: Resize | None) -> Resizing:
    """Choose one way for a whole set of images.

    Args:
        sizes: Width and height of each image, in pixels.
        size: Those wanted.
        resize: The way where it is given; None squashes images that are all within 5 % of the wanted aspect ratio, and
            crops them all where some are not.
    """
    num_other = sum(_is_another(one, size) for one in sizes)
    chosen: Resize = resize or ("crop" if num_other else "squash")
    if all(one == size for one in sizes):
        return Resizing(size, chosen, None)
    note = f"resized to {size[0]} × {size[1]} by {chosen}"
    if resize is None:
        why = f", as {num_other:,} of {len(sizes):,} have an aspect ratio more than 5% off" if num_other else ""
        note += f"{why} (data.resize: {', '.join(get_args(Resize))})"
    return Resizing(size, chosen, note)


def _is_another(size: tuple[int, int], wanted: tuple[int, int]) -> bool:
    """Whether squashing would be seen, in whichever direction."""
    less, more = sorted((size[0] * wanted[1], size[1] * wanted[0]))
    return more - less > MAX_SQUASHED * less
