"""Where the codes of a split lie, coloured by class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ae_lightning.plots.style import (
    LABEL_SIZE,
    PALETTE,
    SMALL_SIZE,
    UNLABELLED_COLOUR,
    class_colour,
    class_marker,
    class_name,
    new_figure,
    spread,
)

MAX_POINTS = 5_000
"""Codes drawn at most; of larger splits a fixed random subset."""

MAX_LEGEND_CLASSES = 40
"""Classes that the legend names at most."""

_NUM_BINS = 60


def latent_scatter(
    codes: NDArray[np.float32],
    labels: NDArray[np.int64] | None = None,
    class_names: Sequence[str] | None = None,
    title: str = "Latent space",
) -> Figure:
    """Show codes in the plane: as they are in two dimensions, by their first two principal components above.

    One-dimensional codes are shown as a histogram for each class instead.

    Args:
        codes: Shape (N, d).
        labels: Class of each code, shape (N,), −1 where missing; without them all points have one colour.
        class_names: Names by class, for the legend.
        title: Title of the figure.

    Returns:
        A figure of one axes; points have equal scales on both.

    Raises:
        ValueError: If there are no codes, or labels for another number of codes.
    """
    if codes.ndim != 2 or codes.size == 0:
        raise ValueError(f"codes of shape {codes.shape}; a scatter needs (N, d), both at least 1")
    if labels is not None and len(labels) != len(codes):
        raise ValueError(f"{len(labels)} labels for {len(codes)} codes")
    figure = new_figure(8.5, 7, title)
    axes = figure.subplots()
    plane, names = _to_plane(codes)
    shown = spread(len(plane), MAX_POINTS)
    groups = _groups(None if labels is None else labels[shown], len(shown), class_names)
    if plane.shape[1] == 1:
        _histograms(axes, plane[shown, 0], groups)
    else:
        _points(axes, plane[shown], groups)
    axes.set_xlabel(names[0], fontsize=LABEL_SIZE)
    axes.set_ylabel(names[1], fontsize=LABEL_SIZE)
    axes.tick_params(labelsize=SMALL_SIZE)
    _legend(figure, axes, len(groups))
    return figure


@dataclass(frozen=True)
class _Group:
    name: str
    label: int | None
    rows: NDArray[np.int64]

    @property
    def colour(self) -> str:
        if self.label is None:
            return PALETTE[0]
        return UNLABELLED_COLOUR if self.label < 0 else class_colour(self.label)

    @property
    def marker(self) -> str:
        return class_marker(max(0, self.label or 0))


def _groups(labels: NDArray[np.int64] | None, num: int, class_names: Sequence[str] | None) -> list[_Group]:
    """Codes by class, the unlabelled first so that they are drawn below the others."""
    if labels is None:
        return [_Group("codes", None, np.arange(num))]
    return [
        _Group(class_name(int(label), class_names), int(label), np.flatnonzero(labels == label))
        for label in np.unique(labels)
    ]


def _to_plane(codes: NDArray[np.float32]) -> tuple[NDArray[np.float64], tuple[str, str]]:
    num_dimensions = codes.shape[1]
    if num_dimensions == 1:
        return codes.astype(np.float64), ("z₁", "number of images")
    if num_dimensions == 2:
        return codes.astype(np.float64), ("z₁", "z₂")
    centred = codes - codes.mean(axis=0, dtype=np.float64)
    variances, directions = np.linalg.eigh(centred.T @ centred)
    shares = np.maximum(variances[::-1], 0) / max(float(variances.sum()), np.finfo(np.float64).tiny)
    names = (f"PC 1 ({shares[0]:.0%} of variance)", f"PC 2 ({shares[1]:.0%} of variance)")
    return centred @ directions[:, :-3:-1], names


def _points(axes: Axes, plane: NDArray[np.float64], groups: Sequence[_Group]) -> None:
    for group in groups:
        axes.scatter(
            plane[group.rows, 0],
            plane[group.rows, 1],
            s=11,
            c=group.colour,
            marker=group.marker,
            alpha=0.65,
            linewidths=0,
            label=group.name,
        )
    axes.set_aspect("equal", adjustable="datalim")
    axes.grid(alpha=0.25)
    axes.set_axisbelow(True)
    _name_in_place(axes, plane, groups)


def _name_in_place(axes: Axes, plane: NDArray[np.float64], groups: Sequence[_Group]) -> None:
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
    text = axes.annotate(name, (centre[0], centre[1]), ha="center", va="center", fontsize=LABEL_SIZE, weight="bold")
    text.set_path_effects([patheffects.withStroke(linewidth=3, foreground="white")])


def _histograms(axes: Axes, values: NDArray[np.float64], groups: Sequence[_Group]) -> None:
    edges = np.histogram_bin_edges(values, _NUM_BINS).tolist()
    for group in groups:
        own = values[group.rows]
        axes.hist(own, edges, histtype="stepfilled", alpha=0.12, color=group.colour)
        axes.hist(own, edges, histtype="step", linewidth=1.8, color=group.colour, label=group.name)


def _legend(figure: Figure, axes: Axes, num_groups: int) -> None:
    if num_groups == 1:
        return
    handles, names = axes.get_legend_handles_labels()
    left_out = len(names) - MAX_LEGEND_CLASSES
    figure.legend(
        handles[:MAX_LEGEND_CLASSES],
        names[:MAX_LEGEND_CLASSES],
        loc="outside right upper",
        title="class" if left_out <= 0 else f"class ({left_out} more not named)",
        fontsize=SMALL_SIZE,
        markerscale=2,
        ncols=1 if num_groups <= MAX_LEGEND_CLASSES // 2 else 2,
        framealpha=1,
    )
