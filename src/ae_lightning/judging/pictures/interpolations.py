"""Straight lines between the codes of images, decoded step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ae_lightning.judging.drawing.grids import named_grid
from ae_lightning.judging.drawing.interactive import Scene, Trace, page
from ae_lightning.judging.drawing.plane import PrincipalPlane
from ae_lightning.judging.drawing.style import PALETTE, UNLABELLED_COLOUR, class_colour, spread
from ae_lightning.judging.picture import Picture
from ae_lightning.judging.picture_case import PictureCase

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_BACKGROUND = 2_000
"""Codes of the split shown behind the paths of the page; of larger splits a fixed random subset."""

NUM_PATHS = 8
NUM_STEPS = 11


class Interpolations(Picture):
    """What lies between images; a model that is given classes decodes all of a path as of its start's."""

    name = "interpolations"
    needs = frozenset({"model", "images", "vector codes"})

    def draw(self, case: PictureCase) -> Figure:
        """See ``Picture.draw``."""
        return interpolations(_paths(case))

    def write(self, case: PictureCase) -> str:
        """See ``Picture.write``."""
        return interpolations_page(_paths(case), case.evaluated.codes)


@dataclass(frozen=True)
class Paths:
    """Paths between pairs of images.

    Attributes:
        starts: Images that the paths begin at, shape (P, C, H, W).
        ends: Images that they end at, of the same shape.
        codes: From the start's code to the end's in equal steps, shape (P, S, d), S at least 2.
        decoded: Images of these codes, shape (P, S, C, H, W).
        names: What start and end are called, two for each path.
    """

    starts: NDArray[np.float32]
    ends: NDArray[np.float32]
    codes: NDArray[np.float32]
    decoded: NDArray[np.float32]
    names: Sequence[tuple[str, str]]

    @property
    def path_names(self) -> list[str]:
        """What to call each path."""
        return [f"{start} → {end}" for start, end in self.names]

    @property
    def shares(self) -> list[str]:
        """How far along a path each step is."""
        num_steps = self.codes.shape[1]
        return [f"{step / (num_steps - 1):.0%}" for step in range(num_steps)]


def choose_pairs(
    num_images: int, labels: NDArray[np.int64] | None, num_pairs: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Choose images to go from and to, of two classes wherever that is possible.

    Args:
        num_images: Images there are, at least 1.
        labels: Class of each image, −1 where missing; None where there are no classes.
        num_pairs: Pairs wanted; no image begins two of them, so that there are at most as many as images.
        seed: Fixes the choice.

    Returns:
        Indices of the first and of the second images.
    """
    order = np.random.default_rng(seed).permutation(num_images)
    starts = order[:num_pairs]
    classes = np.arange(num_images) if labels is None else labels
    ends = []
    for place, start in enumerate(starts):
        others = np.roll(order, -num_pairs - place)
        others = others[others != start] if num_images > 1 else others
        ends.append(others[np.argmax(classes[others] != classes[start])])
    return starts, np.array(ends, dtype=np.int64)


def straight_lines(starts: NDArray[np.float32], ends: NDArray[np.float32], num_steps: int) -> NDArray[np.float32]:
    """Give the codes on the straight lines between codes.

    Args:
        starts: Shape (P, d).
        ends: Shape (P, d).
        num_steps: Codes of each line, both ends among them; at least 2.

    Returns:
        Shape (P, num_steps, d).
    """
    return np.linspace(starts, ends, num_steps, axis=1, dtype=np.float32)


def interpolations(paths: Paths, title: str = "Interpolations between codes") -> Figure:
    """Show each path as a row: an image, its reconstruction, the images between, a reconstruction and its image.

    Args:
        paths: What to show.
        title: Title of the figure.

    Returns:
        A figure of one axes.
    """
    images = np.concatenate([paths.starts[:, None], paths.decoded, paths.ends[:, None]], axis=1)
    return named_grid(images, paths.path_names, ["image", *paths.shares, "image"], title)


def interpolations_page(paths: Paths, codes: NDArray[np.float32], title: str = "Interpolations between codes") -> str:
    """Show the paths in the plane of the codes' principal components, where straight lines stay straight.

    Args:
        paths: What to show; hovering a step shows its decoded image.
        codes: Codes of the split, shape (N, d), at most ``MAX_BACKGROUND`` of which are shown behind the paths.
        title: Title of the page.

    Returns:
        A self-contained HTML page.
    """
    plane = PrincipalPlane.of(codes)
    behind = Trace("codes", _two(plane.project(codes[spread(len(codes), MAX_BACKGROUND)])), UNLABELLED_COLOUR)
    traces = [
        Trace(
            name,
            _two(plane.project(on_path)),
            class_colour(number % len(PALETTE)),
            images=decoded,
            captions=[f"{name}, {share}" for share in paths.shares],
            is_path=True,
        )
        for number, (name, on_path, decoded) in enumerate(
            zip(paths.path_names, paths.codes, paths.decoded, strict=True)
        )
    ]
    names = plane.names if codes.shape[1] > 1 else (plane.names[0], "")
    return page(Scene([behind, *traces], names, equal_scales=True), title)


def _two(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give points on a line a second coordinate of 0."""
    return np.pad(points, ((0, 0), (0, 2 - points.shape[1])))


def _paths(case: PictureCase) -> Paths:
    """Straight lines between the codes of a few images."""
    split = case.evaluated
    starts, ends = choose_pairs(len(split), split.labels, NUM_PATHS, case.seed)
    codes = straight_lines(split.codes[starts], split.codes[ends], NUM_STEPS)
    names = list(zip(case.names_of_images(starts), case.names_of_images(ends), strict=True))
    classes = case.classes_of(starts)
    decoded = case.decode(codes, None if classes is None else classes[:, None])
    return Paths(split.x[starts], split.x[ends], codes, decoded, names)
