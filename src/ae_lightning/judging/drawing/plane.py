"""Codes in the plane: as they are, by their principal components, or by UMAP."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ae_lightning.judging.drawing.projection import ProjectionName
from ae_lightning.judging.drawing.style import (
    PALETTE,
    UNLABELLED_COLOUR,
    class_colour,
    class_marker,
    class_name,
    dimension_name,
    spread,
)

MAX_POINTS = 5_000
"""Codes shown at most; of larger splits a fixed random subset."""

_MIN_UMAP_POINTS = 10


@dataclass(frozen=True)
class Plane:
    """Codes of a split where they are shown.

    Attributes:
        points: Shape (M, 2), or (M, 1) for codes of one dimension; M is at most ``MAX_POINTS``.
        rows: Which codes of the split they are, shape (M,), in increasing order.
        num_codes: Codes of the split.
        names: What the two axes show.
    """

    points: NDArray[np.float64]
    rows: NDArray[np.int64]
    num_codes: int
    names: tuple[str, str]


@dataclass(frozen=True)
class Group:
    """The points of one class.

    Attributes:
        name: What the class is called.
        label: The class, −1 for missing labels, None where there are no classes.
        rows: Which points they are.
    """

    name: str
    label: int | None
    rows: NDArray[np.int64]

    @property
    def colour(self) -> str:
        """The class's colour, grey for missing labels."""
        if self.label is None:
            return PALETTE[0]
        return UNLABELLED_COLOUR if self.label < 0 else class_colour(self.label)

    @property
    def marker(self) -> str:
        """The class's marker, as matplotlib names it."""
        return class_marker(max(0, self.label or 0))


@dataclass(frozen=True)
class PrincipalPlane:
    """The affine map onto the first two principal components of some codes (Pearson 1901).

    Attributes:
        mean: Shape (d,).
        directions: Shape (d, min(d, 2)); the unit vectors themselves where d ≤ 2.
        names: What the two axes show.
    """

    mean: NDArray[np.float64]
    directions: NDArray[np.float64]
    names: tuple[str, str]

    @classmethod
    def of(cls, codes: NDArray[np.float32]) -> PrincipalPlane:
        """Find the plane of codes, shape (N, d); codes of at most two dimensions stay as they are."""
        num_dimensions = codes.shape[1]
        if num_dimensions <= 2:
            second = "number of samples" if num_dimensions == 1 else dimension_name(1)
            return cls(np.zeros(num_dimensions), np.eye(num_dimensions), (dimension_name(0), second))
        mean = codes.mean(axis=0, dtype=np.float64)
        variances, directions = np.linalg.eigh(np.atleast_2d(np.cov(codes - mean, rowvar=False, bias=True)))
        shares = np.maximum(variances[::-1], 0) / max(float(variances.sum()), np.finfo(np.float64).tiny)
        names = (f"PC 1 ({shares[0]:.0%} of variance)", f"PC 2 ({shares[1]:.0%} of variance)")
        return cls(mean, directions[:, :-3:-1], names)

    def project(self, codes: NDArray[np.float32]) -> NDArray[np.float64]:
        """Give the places of codes: shape (N, min(d, 2))."""
        return (codes - self.mean) @ self.directions


def to_plane(codes: NDArray[np.float32], projection: ProjectionName = "pca") -> Plane:
    """Lay codes out in the plane: as they are in one and two dimensions, projected above.

    Args:
        codes: Shape (N, d); at most ``MAX_POINTS`` are shown.
        projection: For more than two dimensions, ``pca``, or ``umap`` (McInnes, Healy and Melville 2018), which sees
            the shown codes alone, and at least ten of them.

    Returns:
        The places, the same ones every time.

    Raises:
        ValueError: If there are no codes.
    """
    if codes.ndim != 2 or codes.size == 0:
        raise ValueError(f"codes of shape {codes.shape}; a plane needs (N, d), both at least 1")
    rows = spread(len(codes), MAX_POINTS)
    if projection == "umap" and codes.shape[1] > 2 and len(rows) >= _MIN_UMAP_POINTS:
        return Plane(_umap(codes[rows]), rows, len(codes), ("UMAP 1", "UMAP 2"))
    principal = PrincipalPlane.of(codes)
    return Plane(principal.project(codes[rows]), rows, len(codes), principal.names)


def groups_of(plane: Plane, labels: NDArray[np.int64] | None, class_names: Sequence[str] | None) -> list[Group]:
    """Divide the points of a plane by class, the unlabelled first so that they are drawn below the others.

    Args:
        plane: Where the codes lie.
        labels: Class of each code of the split, −1 where missing; None for an unlabelled split, which is one group.
        class_names: Names by class.

    Raises:
        ValueError: If there are labels for another number of codes.
    """
    if labels is None:
        return [Group("codes", None, np.arange(len(plane.rows)))]
    if len(labels) != plane.num_codes:
        raise ValueError(f"{len(labels)} labels for {plane.num_codes} codes")
    shown = labels[plane.rows]
    return [
        Group(class_name(int(label), class_names), int(label), np.flatnonzero(shown == label))
        for label in np.unique(shown)
    ]


def _umap(codes: NDArray[np.float32]) -> NDArray[np.float64]:
    from umap import UMAP  # type: ignore[import-untyped]

    with warnings.catch_warnings():
        # It says that a fixed seed rules out threads, which is what a picture that can be repeated needs.
        warnings.filterwarnings("ignore", category=UserWarning, module="umap")
        points = UMAP(n_neighbors=min(15, len(codes) - 1), random_state=0, n_jobs=1).fit_transform(codes)
    return np.asarray(points, dtype=np.float64)
