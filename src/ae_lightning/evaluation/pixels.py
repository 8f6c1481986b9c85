"""How close reconstructions come to the clean images, pixel by pixel and in structure."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics.functional.image import structural_similarity_index_measure

from ae_lightning.evaluation.chunks import chunks

MAX_PSNR = 100.0
"""The PSNR of a perfect image, in dB: a mean squared error below 1e-10 counts as 1e-10."""

MIN_SSIM_SIDE = 3
"""Pixels of the shorter side of an image that has structure."""

_SSIM_SIGMA = 1.5
# Per image, torchmetrics holds five padded maps and as many filtered ones.
_SSIM_COPIES = 12


def mse_per_image(images: NDArray[np.float32], reconstructions: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean squared error over the pixels and channels of each image.

    Args:
        images: Targets in [0, 1], shape (N, C, H, W).
        reconstructions: Of the same shape.

    Returns:
        Errors of shape (N,).

    Raises:
        ValueError: If the shapes differ.
    """
    _require_same_shape(images, reconstructions)
    errors = np.empty(len(images))
    for rows in chunks(len(images), images[0].size):
        difference = reconstructions[rows] - images[rows]
        errors[rows] = np.square(difference).mean(axis=(1, 2, 3), dtype=np.float64)
    return errors


def mse(images: NDArray[np.float32], reconstructions: NDArray[np.float32]) -> float:
    """Mean squared error per pixel, over all images.

    Args:
        images: Targets in [0, 1], shape (N, C, H, W).
        reconstructions: Of the same shape.

    Returns:
        The mean of (x̂ − x)² over images, channels and pixels.

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


def ssim(images: NDArray[np.float32], reconstructions: NDArray[np.float32]) -> float:
    """Structural similarity on a data range of 1, averaged over the images (Wang et al. 2004).

    The window is the paper's Gaussian, σ = 1.5 and 11 × 11 pixels, where the image's shorter side is at
    least 11. On smaller images it shrinks to the widest odd window that fits, with σ in proportion:
    7 × 7 and σ = 0.86 for a side of 8. Values at different sides below 11 are thus not comparable.

    Args:
        images: Targets in [0, 1], shape (N, C, H, W), sides of at least 3 pixels.
        reconstructions: Of the same shape.

    Returns:
        The mean SSIM, at most 1.

    Raises:
        ValueError: If the shapes differ, or a side is below 3 pixels.
    """
    _require_same_shape(images, reconstructions)
    sigma = _ssim_sigma(min(images.shape[2:]))
    total = 0.0
    for rows in chunks(len(images), _SSIM_COPIES * images[0].size):
        scores = structural_similarity_index_measure(
            torch.as_tensor(reconstructions[rows]),
            torch.as_tensor(images[rows]),
            gaussian_kernel=True,
            sigma=sigma,
            data_range=1.0,
            reduction="sum",
        )
        assert isinstance(scores, torch.Tensor)
        total += float(scores)
    return total / len(images)


def _ssim_sigma(side: int) -> float:
    if side < MIN_SSIM_SIDE:
        raise ValueError(f"ssim needs images of at least 3 × 3 pixels, and a side here has {side}")
    # torchmetrics gives a window of σ the radius int(3.5 σ + 0.5), which is 5 at σ = 1.5.
    radius = (side - 1) // 2
    return _SSIM_SIGMA if radius >= 5 else radius / 3.5


def _require_same_shape(images: NDArray[np.float32], reconstructions: NDArray[np.float32]) -> None:
    if images.shape != reconstructions.shape:
        raise ValueError(f"reconstructions of shape {reconstructions.shape} for images of {images.shape}")
