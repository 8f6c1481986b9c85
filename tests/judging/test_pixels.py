"""Pixel measures against scikit-learn, torchmetrics and cases worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_squared_error
from torchmetrics.functional.image import (
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)

from ae_lightning.judging import chunks
from ae_lightning.judging.measures.ssim import ssim
from ae_lightning.judging.pixels import MAX_PSNR, mse, mse_per_image, psnr, psnr_per_image


def pair(*shape: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    images = rng.random(shape, dtype=np.float32)
    noise = rng.normal(scale=0.1, size=shape)
    return images, np.clip(images + noise, 0, 1).astype(np.float32)


def test_mse_is_scikit_learns() -> None:
    images, outputs = pair(7, 3, 9, 5)
    assert mse(images, outputs) == pytest.approx(mean_squared_error(images.ravel(), outputs.ravel()), rel=1e-5)


def test_mse_per_image_names_the_image_that_differs() -> None:
    images = np.zeros((3, 1, 2, 2), np.float32)
    outputs = images.copy()
    outputs[1, 0, 0, 0] = 1
    np.testing.assert_allclose(mse_per_image(images, outputs), [0, 0.25, 0])


def test_psnr_is_torchmetrics_over_single_images() -> None:
    images, outputs = pair(6, 1, 8, 8)
    expected = peak_signal_noise_ratio(
        torch.tensor(outputs), torch.tensor(images), data_range=1.0, reduction="elementwise_mean", dim=(1, 2, 3)
    )
    assert psnr(images, outputs) == pytest.approx(float(expected), abs=1e-4)


def test_a_perfect_image_counts_as_the_cap() -> None:
    images = np.zeros((2, 1, 4, 4), np.float32)
    outputs = np.stack([images[0], images[0] + 0.1])
    assert psnr_per_image(images, outputs) == pytest.approx([MAX_PSNR, 20], abs=1e-3)
    assert psnr(images, images) == MAX_PSNR
    assert psnr(images, outputs) == pytest.approx((MAX_PSNR + 20) / 2, abs=1e-3)


@pytest.mark.parametrize("shape", [(4, 1, 28, 28), (3, 3, 32, 40), (2, 1, 11, 11)])
def test_ssim_is_torchmetrics_without_the_windows_that_it_pads(shape: tuple[int, ...]) -> None:
    images, outputs = pair(*shape)
    _, similarity = structural_similarity_index_measure(
        torch.tensor(outputs), torch.tensor(images), data_range=1.0, return_full_image=True
    )
    assert ssim(images, outputs) == pytest.approx(float(similarity[..., 5:-5, 5:-5].mean()), abs=1e-5)


@pytest.mark.parametrize(("height", "width", "side", "sigma"), [(13, 12, 11, 1.5), (8, 9, 7, 6 / 7)])
def test_ssim_is_the_mean_over_windows_within_the_image(height: int, width: int, side: int, sigma: float) -> None:
    """Window by window, as in Wang et al. 2004, equations 13 to 17; bad borders count no more than the rest."""
    images, outputs = (one.astype(np.float64) for one in pair(2, 1, height, width))
    outputs[:, :, 0] = outputs[:, :, :, -1] = 0
    squares = np.square(np.arange(side) - side // 2)
    weights = np.exp(-(squares[:, None] + squares) / (2 * sigma**2))
    weights /= weights.sum()
    found = []
    for x, y in zip(images[:, 0], outputs[:, 0], strict=True):
        for row in range(height - side + 1):
            for column in range(width - side + 1):
                a, b = (one[row : row + side, column : column + side] for one in (x, y))
                mean_a, mean_b = (weights * a).sum(), (weights * b).sum()
                spread = (weights * np.square(a - mean_a)).sum() + (weights * np.square(b - mean_b)).sum()
                common = (weights * (a - mean_a) * (b - mean_b)).sum()
                luminance = (2 * mean_a * mean_b + 1e-4) / (mean_a**2 + mean_b**2 + 1e-4)
                found.append(luminance * (2 * common + 9e-4) / (spread + 9e-4))
    assert ssim(images.astype(np.float32), outputs.astype(np.float32)) == pytest.approx(np.mean(found), abs=1e-5)


@pytest.mark.parametrize("side", [3, 4, 5, 8, 10])
def test_ssim_is_defined_on_small_images(side: int) -> None:
    images, outputs = pair(5, 1, side, side)
    assert 0 < ssim(images, outputs) < ssim(images, images)
    assert ssim(images, images) == pytest.approx(1, abs=1e-5)


def test_ssim_of_too_small_images_is_refused() -> None:
    with pytest.raises(ValueError, match="3 × 3"):
        ssim(*pair(1, 1, 2, 8))


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    images, outputs = pair(7, 1, 8, 8)
    whole = [measure(images, outputs) for measure in (mse, psnr, ssim)]
    monkeypatch.setattr(chunks, "MAX_CHUNK_VALUES", 2 * 64 * 12)
    assert [measure(images, outputs) for measure in (mse, psnr, ssim)] == pytest.approx(whole, rel=1e-6)


def test_chunks_cover_every_row_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "MAX_CHUNK_VALUES", 10)
    rows = np.concatenate([np.arange(10)[part] for part in chunks.chunks(10, 4)])
    np.testing.assert_array_equal(rows, np.arange(10))
    assert len(list(chunks.chunks(10, 100))) == 10


@pytest.mark.parametrize("measure", [mse, psnr, ssim, mse_per_image])
def test_other_shapes_are_refused(measure: object) -> None:
    images, _ = pair(3, 1, 8, 8)
    with pytest.raises(ValueError, match="reconstructions of shape"):
        measure(images, images[:1])  # type: ignore[operator]
