"""Measures of samples that are no images, and of images whose values have no bounds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pca_of_splits import pca_counterpart

from ae_lightning.judging.case import Case
from ae_lightning.judging.encoded import EncodedSplit
from ae_lightning.judging.judgement import judge
from ae_lightning.judging.measure import run_measures, select_measures
from ae_lightning.judging.pixels import mse_per_image

ALL = select_measures("evaluation.measures", "all")


def split(shape: tuple[int, ...], num: int = 60, value_range: tuple[float, float] | None = None) -> EncodedSplit:
    rng = np.random.default_rng(num)
    labels = np.arange(num) % 3
    x = (5 * rng.normal(size=(num, *shape)) + labels.reshape(-1, *[1] * len(shape))).astype(np.float32)
    return EncodedSplit(x, np.zeros((num, 1), np.float32), None, labels, value_range=value_range)


def case_of(shape: tuple[int, ...]) -> Case:
    train, evaluated, model = pca_counterpart(split(shape, 90), split(shape), latent_dim=2, seed=0)
    return Case(train, evaluated, 0, model=model, novel_class=2)


@pytest.mark.parametrize("shape", [(7,), (4, 3), (1, 6, 6)], ids=["vectors", "sequences", "unbounded images"])
def test_what_needs_images_or_bounds_is_left_out_and_nothing_else(shape: tuple[int, ...]) -> None:
    found = set(run_measures(ALL, case_of(shape)).seconds)
    lacking = {"ssim", "psnr", "denoising", "compression", "sample_frechet"}
    # What is prepared for a run of its own, or by a model of another kind.
    lacking |= {"overlay", "model_clusters"}
    assert found == {measure.name for measure in ALL} - lacking


def test_vectors_within_bounds_have_a_peak_signal_to_noise_ratio() -> None:
    rng = np.random.default_rng(0)
    x = rng.random((30, 5), dtype=np.float32)
    bounded = EncodedSplit(x, x[:, :2], x)
    assert "psnr" in run_measures(ALL, Case(bounded, bounded, 0)).values
    assert not bounded.holds_images


def test_pca_keeps_what_a_sample_is() -> None:
    train, evaluated, model = pca_counterpart(split((4, 3), 90), split((4, 3)), latent_dim=12, seed=0)
    assert train.value_range is evaluated.value_range is None
    assert evaluated.reconstructions is not None
    np.testing.assert_allclose(evaluated.reconstructions, evaluated.x, atol=1e-4)
    assert model.decode(evaluated.codes[:5]).shape == (5, 4, 3)


def test_pca_stands_beside_a_model_of_vectors() -> None:
    values = judge(ALL, case_of((7,)), with_pca=True).values
    assert {name.removeprefix("pca_") for name in values if name.startswith("pca_")} == {
        name for name in values if not name.startswith("pca_")
    }
    assert values["pca_mse"] == pytest.approx(values["mse"], rel=1e-4)


@pytest.mark.parametrize("shape", [(7,), (4, 3), (2, 3, 4)])
def test_the_error_of_a_sample_is_the_mean_over_its_values(shape: tuple[int, ...]) -> None:
    x, other = (np.random.default_rng(seed).normal(size=(9, *shape)).astype(np.float32) for seed in (0, 1))
    expected = [np.mean((one - two) ** 2) for one, two in zip(x, other, strict=True)]
    assert mse_per_image(x, other) == pytest.approx(expected, rel=1e-5)


def test_a_sample_keeps_its_range_and_is_held_to_it() -> None:
    unbounded = split((7,))
    assert unbounded.sample(5, seed=0).value_range is None
    with pytest.raises(ValueError, match=r"samples lie in .*, not in \[0, 1\]"):
        replace(unbounded, value_range=(0.0, 1.0))
    with pytest.raises(ValueError, match="samples lie in"):
        replace(unbounded, x=unbounded.x * np.nan)
