"""Which classes share a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_lowercase
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ae_lightning.judging.cluster_matching import match_classes
from ae_lightning.judging.drawing.style import LABEL_SIZE, SMALL_SIZE, class_name, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_WRITTEN = 20
"""Classes up to which shares are written into their cells, in per cent."""

MAX_NAMED = 60
"""Classes up to which rows are named."""


def confusion(
    labels: NDArray[np.int64],
    clusters: NDArray[np.int64],
    class_names: Sequence[str] | None = None,
    title: str = "Classes by cluster",
) -> Figure:
    """Show the share of each class that lies in each cluster.

    Clusters stand in the order of the classes that they are matched to, one to one, by the Hungarian method (Kuhn
    1955), so that the diagonal is what counts as right; clusters beyond the classes come last. They are called by
    letters, from the left: the number of a cluster would read as a digit that it stands for.

    Args:
        labels: Class of each image, shape (N,), −1 where missing: such images are left out.
        clusters: Cluster of each image, shape (N,).
        class_names: Names by class.
        title: Title of the figure.

    Returns:
        A figure of the matrix and its colour bar; rows sum to 100 %.

    Raises:
        ValueError: If no image has a label, or there are clusters for another number of images.
    """
    known = labels >= 0
    if len(labels) != len(clusters) or not known.any():
        raise ValueError(f"{len(clusters)} clusters for {int(known.sum())} labels of {len(labels)} images")
    shares = _matched_shares(labels[known], clusters[known])
    classes = [class_name(int(label), class_names) for label in np.unique(labels[known])]
    side = float(np.clip(0.45 * len(classes), 4.5, 12))
    figure = new_figure(side + 2.5, side + 1.2, title)
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    figure.colorbar(image, ax=axes, label="share of the class", format=lambda share, _: f"{share:.0%}")
    _name_axes(axes, classes, shares.shape[1])
    if len(classes) <= MAX_WRITTEN:
        _write_shares(axes, shares)
    return figure


def _matched_shares(labels: NDArray[np.int64], clusters: NDArray[np.int64]) -> NDArray[np.float64]:
    """Shares by class and cluster, the clusters in the order of the columns."""
    match = match_classes(labels, clusters)
    counts = match.counts
    # A cluster that is matched to a later class, or to none, stands further to the right.
    places = np.full(counts.shape[1], len(counts))
    places[match.columns] = match.rows
    order = np.argsort(places, kind="stable")
    shares: NDArray[np.float64] = (counts / counts.sum(axis=1, keepdims=True))[:, order]
    return shares


def cluster_name(place: int) -> str:
    """Call a cluster by a letter, or by several: `cluster a`, …, `cluster z`, `cluster aa`, ….

    Args:
        place: From 0.
    """
    letters = ""
    while place >= 0:
        place, letter = divmod(place, len(ascii_lowercase))
        letters = ascii_lowercase[letter] + letters
        place -= 1
    return f"cluster {letters}"


def _name_axes(axes: Axes, classes: Sequence[str], num_clusters: int) -> None:
    axes.set_xlabel("in the order of the classes that they are matched to", fontsize=LABEL_SIZE)
    axes.set_ylabel("class", fontsize=LABEL_SIZE)
    if len(classes) > MAX_NAMED:
        return
    axes.set_yticks(range(len(classes)), classes, fontsize=SMALL_SIZE, parse_math=False)
    axes.set_xticks(range(num_clusters), [cluster_name(place) for place in range(num_clusters)], fontsize=SMALL_SIZE)
    axes.tick_params(axis="x", rotation=90)


def _write_shares(axes: Axes, shares: NDArray[np.float64]) -> None:
    for (row, column), share in np.ndenumerate(shares):
        if round(100 * share) == 0:
            continue
        colour = "white" if share > 0.5 else "black"
        axes.text(column, row, f"{100 * share:.0f}", ha="center", va="center", color=colour, fontsize=SMALL_SIZE)
