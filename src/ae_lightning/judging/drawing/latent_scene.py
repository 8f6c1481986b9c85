"""The latent scatter as a page: hovering a point shows its class, and its image where it has one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ae_lightning.judging.drawing.interactive import Scene, Trace, page
from ae_lightning.judging.drawing.plane import Group, Plane, groups_of
from ae_lightning.judging.drawing.style import MARKERS, spread

MAX_PAGE_POINTS = 1_200
"""Points of the page, which carries an image for each; of larger planes a fixed random subset.

Even of noise, which compresses worst, as many images and the script stay below 8 MB."""

_SYMBOLS = dict(
    zip(MARKERS, ("circle", "triangle-up", "square", "diamond", "triangle-down", "cross", "x", "star"), strict=True)
)


def latent_scatter_page(
    plane: Plane,
    images: NDArray[np.float32] | None,
    labels: NDArray[np.int64] | None = None,
    class_names: Sequence[str] | None = None,
    title: str = "Latent space",
) -> str:
    """Show codes in the plane, with its image where it has one, on a self-contained HTML page; see ``latent_scene``."""
    return page(latent_scene(plane, images, labels, class_names), title)


def latent_scene(
    plane: Plane,
    images: NDArray[np.float32] | None,
    labels: NDArray[np.int64] | None = None,
    class_names: Sequence[str] | None = None,
    max_points: int = MAX_PAGE_POINTS,
) -> Scene:
    """Place codes in the plane, each with its image; codes of one dimension beside the sample's place in the split.

    Args:
        plane: Where the codes lie.
        images: Of the whole split, shape (N, C, H, W); None where samples are no images.
        labels: Class of each image, shape (N,), −1 where missing.
        class_names: Names by class, for legend and captions.
        max_points: Codes shown at most.

    Raises:
        ValueError: If there are images or labels for another number of codes.
    """
    if images is not None and len(images) != plane.num_codes:
        raise ValueError(f"{len(images)} images for {plane.num_codes} codes")
    chosen = spread(len(plane.rows), max_points)
    shown = Plane(plane.points[chosen], plane.rows[chosen], plane.num_codes, plane.names)
    on_a_line = plane.points.shape[1] == 1
    points = np.column_stack([shown.points[:, 0], shown.rows]) if on_a_line else shown.points
    kind = "sample" if images is None else "image"
    traces = [
        Trace(
            group.name,
            points[group.rows],
            group.colour,
            None if images is None else images[shown.rows[group.rows]],
            [_caption(group, row, kind) for row in shown.rows[group.rows]],
            _SYMBOLS[group.marker],
        )
        for group in groups_of(shown, labels, class_names)
    ]
    names = (plane.names[0], f"number of the {kind}") if on_a_line else plane.names
    return Scene(traces, names, equal_scales=not on_a_line)


def _caption(group: Group, row: int, kind: str) -> str:
    return f"{kind} {row}" if group.label is None else f"{group.name} ({kind} {row})"
