"""A model's measures with PCA's beside them, and what of PCA's is kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from ae_lightning.judging import judgement as judging
from ae_lightning.judging.altered_images import CorruptedImages
from ae_lightning.judging.cache import Cache
from ae_lightning.judging.case import Case
from ae_lightning.judging.encoded import EncodedSplit
from ae_lightning.judging.judgement import judge
from ae_lightning.judging.measuring import run_measures, select_measures
from ae_lightning.judging.pca import pca_counterpart

LATENT_DIM = 4
CHOICE = ["kmeans", "mse", "compression", "denoising"]
MEASURES = select_measures("evaluation.measures", CHOICE)


def corrupt(images: np.ndarray, seed: int) -> CorruptedImages:
    noise = np.random.default_rng(seed).normal(scale=0.3, size=images.shape)
    return CorruptedImages(images, (images + noise).clip(0, 1).astype(np.float32))


@pytest.fixture
def case() -> Case:
    """A "model" that is PCA of fewer components."""
    digits = load_digits()
    images, labels = (digits.images[:, None] / 16).astype(np.float32), digits.target.astype(np.int64)
    splits = [EncodedSplit(images[i::3], np.zeros((599, 1), np.float32), None, labels[i::3]) for i in (0, 1)]
    train, evaluated, model = pca_counterpart(*splits, latent_dim=2, seed=0)
    return Case(train, evaluated, 0, model=model, corrupted=corrupt(evaluated.x, 0))


def test_each_measure_stands_beside_pcas(case: Case) -> None:
    judgement = judge(MEASURES, case, LATENT_DIM, with_pca=True)
    own = run_measures(MEASURES, case).values
    train, evaluated, model = pca_counterpart(case.train, case.evaluated, LATENT_DIM, seed=0)
    pca = run_measures(MEASURES, replace(case, train=train, evaluated=evaluated, model=model)).values
    assert judgement.values == pytest.approx(own | {f"pca_{name}": value for name, value in pca.items()})
    assert set(judgement.seconds) == {*CHOICE, *(f"pca_{name}" for name in CHOICE), "image_codecs"}
    assert set(judgement.codecs) == {"autoencoder", "pca", "jpeg", "jpeg_mosaic", "webp", "webp_mosaic"}
    assert all({"bits_per_pixel", "psnr"} <= set(curve) for curve in judgement.codecs.values())


def test_without_pca_the_model_stands_alone(case: Case) -> None:
    judgement = judge(select_measures("evaluation.measures", ["mse"]), case, LATENT_DIM, with_pca=False)
    assert set(judgement.values) == set(judgement.seconds) == {"mse"}
    assert judgement.codecs == {}


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The latent dimensions that PCA is fitted with."""
    seen: list[int] = []

    def counted(train: EncodedSplit, evaluated: EncodedSplit, latent_dim: int, seed: int) -> object:
        seen.append(latent_dim)
        return pca_counterpart(train, evaluated, latent_dim, seed)

    monkeypatch.setattr(judging, "pca_counterpart", counted)
    return seen


def test_what_is_kept_is_not_measured_again(case: Case, tmp_path: Path, fits: list[int]) -> None:
    first = judge(MEASURES, replace(case, cache=Cache(tmp_path)), LATENT_DIM, with_pca=True)
    second = judge(MEASURES, replace(case, cache=Cache(tmp_path)), LATENT_DIM, with_pca=True)
    assert fits == [LATENT_DIM]
    assert second.values == first.values
    assert second.codecs == first.codecs
    kept = {name: seconds for name, seconds in first.seconds.items() if name.startswith("pca_")}
    assert kept.items() <= second.seconds.items()


def test_another_model_on_the_same_images_finds_pca_kept(case: Case, tmp_path: Path, fits: list[int]) -> None:
    judge(MEASURES, replace(case, cache=Cache(tmp_path)), LATENT_DIM, with_pca=True)
    moved = replace(case.evaluated, codes=case.evaluated.codes + 1)
    judge(MEASURES, replace(case, evaluated=moved, cache=Cache(tmp_path)), LATENT_DIM, with_pca=True)
    assert fits == [LATENT_DIM]


def test_other_inputs_are_measured_anew(case: Case, tmp_path: Path, fits: list[int]) -> None:
    def again(changed: Case, latent_dim: int = LATENT_DIM, choice: str = "mse") -> int:
        before = len(fits)
        judge(
            select_measures("evaluation.measures", [choice]),
            replace(changed, cache=Cache(tmp_path)),
            latent_dim,
            with_pca=True,
        )
        return len(fits) - before

    assert again(case) == 1
    assert again(case) == 0
    assert again(case, latent_dim=5) == 1
    assert again(replace(case, seed=1)) == 1
    assert again(replace(case, train=case.train.sample(500, 0))) == 1
    assert again(replace(case, evaluated=case.evaluated.sample(500, 0))) == 1
    noisier = replace(case, corrupted=corrupt(case.evaluated.x, 1))
    assert again(case, choice="denoising") == 1
    assert again(noisier, choice="denoising") == 1
    # What no corruption enters does not care about it.
    assert again(noisier) == 0
