"""The Fréchet distance, and the classifier whose features it compares."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torchmetrics.image.fid import FrechetInceptionDistance

from ae_lightning.judging import classifier
from ae_lightning.judging.classifier import features, train_classifier
from ae_lightning.judging.measures.sample_frechet import frechet_distance


class FirstPixels(nn.Module):
    """Takes the pixels themselves for features."""

    num_features = 6

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1)


def test_the_distance_is_torchmetrics() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.random((300, 6)), rng.random((200, 6)) * 2 @ rng.random((6, 6))
    reference = FrechetInceptionDistance(feature=FirstPixels(), input_img_size=(1, 2, 3), normalize=True)
    reference.set_dtype(torch.float64)
    for points, is_real in ((first, True), (second, False)):
        reference.update(torch.from_numpy(points).reshape(-1, 1, 2, 3).float(), real=is_real)
    distance = frechet_distance(first.astype(np.float32), second.astype(np.float32))
    assert distance == pytest.approx(float(reference.compute()), rel=1e-3)


def test_of_gaussians_in_one_dimension_it_is_known() -> None:
    points = np.random.default_rng(0).normal(size=(100_000, 1)).astype(np.float32)
    assert frechet_distance(points, 3 * points + 2) == pytest.approx(2**2 + (3 - 1) ** 2, rel=0.02)


def test_singular_covariances_are_no_trouble() -> None:
    rng = np.random.default_rng(0)
    line = rng.normal(size=(50, 1)).astype(np.float32) @ np.ones((1, 8), np.float32)
    assert frechet_distance(line, line) == pytest.approx(0, abs=1e-4)
    assert frechet_distance(line, line + 1) == pytest.approx(8, rel=1e-3)
    assert frechet_distance(np.zeros((5, 8), np.float32), np.zeros((9, 8), np.float32)) == 0


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    found = load_digits()
    return (found.images[:, None] / 16).astype(np.float32), found.target.astype(np.int64)


@pytest.fixture(scope="module")
def trained(digits: tuple[np.ndarray, np.ndarray]) -> dict[str, np.ndarray]:
    return train_classifier(digits[0][:1200], digits[1][:1200])


def test_the_classifier_knows_digits(digits: tuple[np.ndarray, np.ndarray], trained: dict[str, np.ndarray]) -> None:
    images, labels = digits[0][1200:], digits[1][1200:]
    last_weight, last_bias = trained["head.weight"], trained["head.bias"]
    predicted = (features(trained, images) @ last_weight.T + last_bias).argmax(axis=1)
    assert (predicted == labels).mean() > 0.85


def test_training_is_repeatable_and_leaves_the_global_state_alone(
    digits: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classifier, "NUM_STEPS", 20)
    torch.manual_seed(3)
    state = torch.get_rng_state()
    with torch.inference_mode():
        first = train_classifier(digits[0][:200], digits[1][:200])
        features(first, digits[0][:20])
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(4)
    second = train_classifier(digits[0][:200], digits[1][:200])
    for name, weight in first.items():
        np.testing.assert_array_equal(weight, second[name])


def test_noise_is_further_from_digits_than_digits(
    digits: tuple[np.ndarray, np.ndarray], trained: dict[str, np.ndarray]
) -> None:
    images = digits[0]
    real, others = features(trained, images[:800]), features(trained, images[800:])
    noise = features(trained, np.random.default_rng(0).random(images[800:].shape, dtype=np.float32))
    assert frechet_distance(real, noise) > 20 * frechet_distance(real, others)


def test_large_coloured_images_are_averaged_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier, "NUM_STEPS", 2)
    images = np.random.default_rng(0).random((40, 3, 70, 50), dtype=np.float32)
    weights = train_classifier(images, np.arange(40) % 2)
    assert weights["body.5.weight"].shape == (64, 32 * 8 * 8)
    assert features(weights, images).shape == (40, 64)
    np.testing.assert_array_equal(features(weights, images + 2), features(weights, np.ones_like(images)))
