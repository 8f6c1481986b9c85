"""How close reconstructions come to the clean samples, value by value and in structure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ae_lightning.judging.chunks import chunks

MAX_PSNR = 100.0
"""The PSNR of a perfect image, in dB: a mean squared error below 1e-10 counts as 1e-10."""

MIN_SSIM_SIDE = 3
"""Pixels of the shorter side of an image that has structure."""


def mse_per_image(images: NDArray[np.float32], reconstructions: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean squared error over the values of each sample: of an image, its pixels and channels.

    Args:
        images: Targets, shape (N, …).
        reconstructions: Of the same shape.

    Returns:
        Errors of shape (N,).

    Raises:
        ValueError: If the shapes differ.
    """
    require_same_shape(images, reconstructions)
    errors = np.empty(len(images))
    for rows in chunks(len(images), images[0].size):
        difference = reconstructions[rows] - images[rows]
        errors[rows] = np.square(difference).reshape(len(difference), -1).mean(axis=1, dtype=np.float64)
    return errors


def mse(images: NDArray[np.float32], reconstructions: NDArray[np.float32]) -> float:
    """Mean squared error per value, over all samples.

    Args:
        images: Targets, shape (N, …).
        reconstructions: Of the same shape.

    Returns:
        The mean of (x̂ − x)² over samples and their values.

    Raises:
        ValueError: If the shapes differ.
    """
    return float(mse_per_image(images, reconstructions).mean())


def psnr_per_image(images: NDArray[np.float32], reconstructions: NDArray[np.float32]) -> NDArray[np.float64]:
    """Peak signal-to-noise ratio of each image, on a data range of 1.

    Args:
        images: Targets in [0, 1], shape (N, C, H, W).
        reconstructions: Of the same shape.

    Returns:
        −10·log₁₀(mse) in dB, at most ``MAX_PSNR``, shape (N,).

    Raises:
        ValueError: If the shapes differ.
    """
    errors = mse_per_image(images, reconstructions)
    return np.asarray(-10 * np.log10(np.maximum(errors, 10 ** (-MAX_PSNR / 10))))


def psnr(images: NDArray[np.float32], reconstructions: NDArray[np.float32]) -> float:
    """Peak signal-to-noise ratio, taken for each image on a data range of 1 and averaged over the images.

    Args:
        images: Targets in [0, 1], shape (N, C, H, W).
        reconstructions: Of the same shape.

    Returns:
        The mean of −10·log₁₀(mse) over images, in dB; an image counts for at most ``MAX_PSNR``, so that a
        perfect one leaves the mean finite.

    Raises:
        ValueError: If the shapes differ.
    """
    return float(psnr_per_image(images, reconstructions).mean())


def require_same_shape(images: NDArray[np.float32], reconstructions: NDArray[np.float32]) -> None:
    """Refuse reconstructions of other shapes than their images.

    Raises:
        ValueError: If the shapes differ.
    """
    if images.shape != reconstructions.shape:
        raise ValueError(f"reconstructions of shape {reconstructions.shape} for images of {images.shape}")
