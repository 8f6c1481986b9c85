"""One dimension of a code moved at a time: what each of them stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ae_lightning.judging.drawing.grids import named_grid
from ae_lightning.judging.drawing.interactive import Scene, Trace, page
from ae_lightning.judging.drawing.style import class_colour, dimension_name
from ae_lightning.judging.picture import Picture
from ae_lightning.judging.picture_case import PictureCase

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_DIMENSIONS = 16
"""Dimensions traversed at most: those whose codes vary most."""

OFFSETS = np.linspace(-3, 3, 11)


class LatentTraversals(Picture):
    """What each dimension stands for."""

    name = "latent_traversals"
    needs = frozenset({"model", "images", "vector codes"})

    def draw(self, case: PictureCase) -> Figure:
        """See ``Picture.draw``."""
        return latent_traversals(_traversals(case))

    def write(self, case: PictureCase) -> str:
        """See ``Picture.write``."""
        return latent_traversals_page(_traversals(case))


@dataclass(frozen=True)
class Traversals:
    """Decoded codes that differ from one image's code in one dimension.

    Attributes:
        dimensions: Which dimensions are moved, T in all.
        offsets: How far, in standard deviations of the dimension's codes, shape (S,).
        codes: Shape (T, S, d).
        decoded: Their images, shape (T, S, C, H, W).
        start: What the image is called whose code is moved.
    """

    dimensions: NDArray[np.int64]
    offsets: NDArray[np.float64]
    codes: NDArray[np.float32]
    decoded: NDArray[np.float32]
    start: str

    @property
    def names(self) -> list[str]:
        """Names of the dimensions."""
        return [dimension_name(int(index)) for index in self.dimensions]


def traversal_codes(
    start: NDArray[np.float32], codes: NDArray[np.float32], offsets: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Move a code along one dimension at a time.

    Args:
        start: The code, shape (d,).
        codes: Codes of the split, shape (N, d), whose standard deviations are the unit.
        offsets: How far to go, in these units, shape (S,).

    Returns:
        The dimensions, shape (T,), in increasing order: all, or the ``MAX_DIMENSIONS`` that vary most. And the codes,
        shape (T, S, d).
    """
    scales = codes.std(axis=0, dtype=np.float64)
    dimensions = np.sort(np.argsort(-scales, kind="stable")[:MAX_DIMENSIONS])
    moved = np.tile(start, (len(dimensions), len(offsets), 1))
    for row, index in enumerate(dimensions):
        moved[row, :, index] += (offsets * scales[index]).astype(np.float32)
    return dimensions, moved


def latent_traversals(traversals: Traversals, title: str = "Latent traversals") -> Figure:
    """Show a row for each dimension, from the lowest value to the highest.

    Args:
        traversals: What to show.
        title: Title of the figure.

    Returns:
        A figure of one axes.
    """
    whole = f"{title}: one dimension of the code of {traversals.start} moved by standard deviations"
    return named_grid(traversals.decoded, traversals.names, _offset_names(traversals), whole)


def latent_traversals_page(traversals: Traversals, title: str = "Latent traversals") -> str:
    """Show how much of the image each dimension changes; hovering a point shows the image.

    Args:
        traversals: What to show.
        title: Title of the page.

    Returns:
        A self-contained HTML page.
    """
    middle = int(np.abs(traversals.offsets).argmin())
    traces = [
        Trace(
            name,
            np.column_stack([traversals.offsets, _changes(decoded, decoded[middle])]),
            class_colour(number),
            images=decoded,
            captions=_captions(name, codes[:, index]),
            is_path=True,
        )
        for number, (name, index, codes, decoded) in enumerate(
            zip(traversals.names, traversals.dimensions, traversals.codes, traversals.decoded, strict=True)
        )
    ]
    names = ("standard deviations from the code", "change of the image (root of the mean square of its pixels)")
    return page(Scene(traces, names, equal_scales=False), f"{title} from the code of {traversals.start}")


def _changes(decoded: NDArray[np.float32], start: NDArray[np.float32]) -> NDArray[np.float64]:
    changes: NDArray[np.float64] = np.sqrt(np.square(decoded - start).mean(axis=(1, 2, 3), dtype=np.float64))
    return changes


def _captions(name: str, values: NDArray[np.float32]) -> Sequence[str]:
    return [f"{name} = {value:.2f}" for value in values]


def _offset_names(traversals: Traversals) -> list[str]:
    return ["0" if offset == 0 else f"{offset:+.1f} σ".replace("-", "−") for offset in traversals.offsets]


def _traversals(case: PictureCase) -> Traversals:
    """The code nearest the mean, moved along one dimension at a time."""
    codes = case.evaluated.codes
    nearest = int(np.square(codes - codes.mean(axis=0)).sum(axis=1).argmin())
    dimensions, moved = traversal_codes(codes[nearest], codes, OFFSETS)
    own_class = "" if case.evaluated.labels is None else f" ({case.names_of_images(np.array([nearest]))[0]})"
    decoded = case.decode(moved, case.classes_of(np.array([nearest])))
    return Traversals(dimensions, OFFSETS, moved, decoded, f"image {nearest}{own_class}")
