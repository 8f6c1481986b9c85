"""Inputs over outputs: what the bottleneck lets through, and where it fails most."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ae_lightning.plots.strips import strips
from ae_lightning.plots.style import names_of

MAX_PAIRS = 36
"""Images shown at most; the rest are left out."""


def reconstructions(
    images: NDArray[np.float32],
    reconstructions: NDArray[np.float32],
    labels: NDArray[np.int64] | None = None,
    class_names: Sequence[str] | None = None,
    title: str = "Reconstructions",
) -> Figure:
    """Show images, and under each its reconstruction.

    Args:
        images: Inputs in [0, 1], shape (N, C, H, W); the first ``MAX_PAIRS`` are shown.
        reconstructions: Outputs of the same shape, clipped to [0, 1].
        labels: Class of each image, shape (N,), −1 where missing; written above it.
        class_names: Names by class.
        title: Title of the figure.

    Returns:
        A figure of one axes for every twelve images.

    Raises:
        ValueError: If there are no images or the shapes differ.
    """
    kinds = {"input": images[:MAX_PAIRS], "output": reconstructions[:MAX_PAIRS]}
    return strips(kinds, names_of(None if labels is None else labels[:MAX_PAIRS], class_names), None, title)


def worst_reconstructions(
    images: NDArray[np.float32],
    reconstructions: NDArray[np.float32],
    errors: NDArray[np.float64],
    labels: NDArray[np.int64] | None = None,
    class_names: Sequence[str] | None = None,
    *,
    title: str = "Worst reconstructions, highest error first",
) -> Figure:
    """Show the images with the highest errors, each error written below its pair.

    Args:
        images: Inputs in [0, 1], shape (N, C, H, W); the ``MAX_PAIRS`` worst are shown.
        reconstructions: Outputs of the same shape, clipped to [0, 1].
        errors: Mean squared error of each image, shape (N,).
        labels: Class of each image, shape (N,), −1 where missing; written above it.
        class_names: Names by class.
        title: Title of the figure.

    Returns:
        A figure of one axes for every twelve images.

    Raises:
        ValueError: If there are no images or the shapes differ.
    """
    if len(errors) != len(images):
        raise ValueError(f"{len(errors)} errors for {len(images)} images")
    worst = np.argsort(-errors, kind="stable")[:MAX_PAIRS]
    below = [f"mse\n{error:.4f}" for error in errors[worst]]
    kinds = {"input": images[worst], "output": reconstructions[worst]}
    return strips(kinds, names_of(None if labels is None else labels[worst], class_names), below, title)
