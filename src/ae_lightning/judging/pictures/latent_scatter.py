"""Where the codes of a split lie, coloured by class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ae_lightning.judging.drawing.latent_scene import latent_scatter_page
from ae_lightning.judging.drawing.plane import Group, Plane, groups_of
from ae_lightning.judging.drawing.style import LABEL_SIZE, SMALL_SIZE, new_figure
from ae_lightning.judging.picture import Picture
from ae_lightning.judging.picture_case import PictureCase

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_LEGEND_CLASSES = 40
"""Classes that the legend names at most."""

_NUM_BINS = 60
_OUTLINE = 1.8


class LatentScatter(Picture):
    """The codes in the plane."""

    name = "latent_scatter"
    cost = "cheap"

    def draw(self, case: PictureCase) -> Figure:
        """See ``Picture.draw``."""
        return latent_scatter(case.plane, case.evaluated.labels, case.class_names)

    def write(self, case: PictureCase) -> str:
        """See ``Picture.write``."""
        split = case.evaluated
        images = split.x if split.holds_images else None
        return latent_scatter_page(case.plane, images, split.labels, case.class_names)


def latent_scatter(
    plane: Plane,
    labels: NDArray[np.int64] | None = None,
    class_names: Sequence[str] | None = None,
    title: str = "Latent space",
) -> Figure:
    """Show codes in the plane; those of one dimension as a histogram for each class instead.

    Args:
        plane: Where the codes lie.
        labels: Class of each code of the split, shape (N,), −1 where missing; without them all points have one colour.
        class_names: Names by class, for the legend.
        title: Title of the figure.

    Returns:
        A figure of one axes; points have equal scales on both.

    Raises:
        ValueError: If there are labels for another number of codes.
    """
    groups = groups_of(plane, labels, class_names)
    figure = new_figure(8.5, 7, title)
    axes = figure.subplots()
    if plane.points.shape[1] == 1:
        handles = _histograms(axes, plane.points[:, 0], groups)
    else:
        handles = _points(axes, plane.points, groups)
    axes.set_xlabel(plane.names[0], fontsize=LABEL_SIZE)
    axes.set_ylabel(plane.names[1], fontsize=LABEL_SIZE)
    axes.tick_params(labelsize=SMALL_SIZE)
    if len(groups) > 1:
        _legend(figure, handles, groups)
    return figure


def _points(axes: Axes, plane: NDArray[np.float64], groups: Sequence[Group]) -> list[Artist]:
    """Draw the points; return what stands for each group in the legend."""
    handles: list[Artist] = [
        axes.scatter(
            plane[group.rows, 0],
            plane[group.rows, 1],
            s=11,
            c=group.colour,
            marker=group.marker,
            alpha=0.65,
            linewidths=0,
        )
        for group in groups
    ]
    axes.set_aspect("equal", adjustable="datalim")
    axes.grid(alpha=0.25)
    axes.set_axisbelow(True)
    _name_in_place(axes, plane, groups)
    return handles


def _name_in_place(axes: Axes, plane: NDArray[np.float64], groups: Sequence[Group]) -> None:
    """Write class names over their codes, so that a legend of similar colours need not be searched.

    A name that would lie over an earlier one is left to the legend.
    """
    # The axes are about 6.5 inches wide and high; a letter takes about 0.13 by 0.2 inches of them.
    letter = np.array([0.02, 0.035]) * max(float(np.ptp(plane, axis=0).max()), np.finfo(np.float64).tiny)
    taken: list[tuple[NDArray[np.float64], int]] = []
    for group in groups:
        if group.label is None or group.label < 0:
            continue
        centre = np.median(plane[group.rows], axis=0)
        room = [letter * [(len(group.name) + length) / 2, 1] for _, length in taken]
        if all((np.abs(centre - other) >= need).any() for (other, _), need in zip(taken, room, strict=True)):
            _write_name(axes, centre, group.name)
            taken.append((centre, len(group.name)))


def _write_name(axes: Axes, centre: NDArray[np.float64], name: str) -> None:
    from matplotlib import patheffects

    place = centre[0], centre[1]
    text = axes.annotate(name, place, ha="center", va="center", fontsize=LABEL_SIZE, weight="bold", parse_math=False)
    text.set_path_effects([patheffects.withStroke(linewidth=3, foreground="white")])


def _histograms(axes: Axes, values: NDArray[np.float64], groups: Sequence[Group]) -> list[Artist]:
    """Draw the histograms; return what stands for each group in the legend."""
    from matplotlib.patches import Patch

    edges = np.histogram_bin_edges(values, _NUM_BINS).tolist()
    for group in groups:
        own = values[group.rows]
        axes.hist(own, edges, histtype="stepfilled", alpha=0.12, color=group.colour)
        axes.hist(own, edges, histtype="step", linewidth=_OUTLINE, color=group.colour)
    return [Patch(fill=False, edgecolor=group.colour, linewidth=_OUTLINE) for group in groups]


def _legend(figure: Figure, handles: Sequence[Artist], groups: Sequence[Group]) -> None:
    """Name the groups, those too whose name would hide an artist from a legend that looks for its own entries."""
    left_out = len(groups) - MAX_LEGEND_CLASSES
    legend = figure.legend(
        handles[:MAX_LEGEND_CLASSES],
        [group.name for group in groups[:MAX_LEGEND_CLASSES]],
        loc="outside right upper",
        title="class" if left_out <= 0 else f"class ({left_out} more not named)",
        fontsize=SMALL_SIZE,
        markerscale=2,
        ncols=1 if len(groups) <= MAX_LEGEND_CLASSES // 2 else 2,
        framealpha=1,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
