"""A model's measures with PCA's beside them, and what of PCA's is kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pca_of_splits import pca_counterpart
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from ae_lightning.judging import baseline
from ae_lightning.judging.altered_images import CorruptedImages
from ae_lightning.judging.cache import Cache
from ae_lightning.judging.case import Case
from ae_lightning.judging.encoded import EncodedSplit
from ae_lightning.judging.judgement import judge
from ae_lightning.judging.measure import run_measures, select_measures
from ae_lightning.judging.pca import FitSamples, fitted_pca

LATENT_DIM = 2
CHOICE = ["kmeans", "mse", "compression", "denoising"]
MEASURES = select_measures("evaluation.measures", CHOICE)


def corrupt(images: np.ndarray, seed: int) -> CorruptedImages:
    noise = np.random.default_rng(seed).normal(scale=0.3, size=images.shape)
    return CorruptedImages(images, (images + noise).clip(0, 1).astype(np.float32))


@pytest.fixture
def case() -> Case:
    """A "model" whose codes are those of PCA, of another seed."""
    digits = load_digits()
    images, labels = (digits.images[:, None] / 16).astype(np.float32), digits.target.astype(np.int64)
    splits = [EncodedSplit(images[i::3], np.zeros((599, 1), np.float32), None, labels[i::3]) for i in (0, 1)]
    train, evaluated, model = pca_counterpart(*splits, latent_dim=2, seed=0)
    return Case(train, evaluated, 0, model=model, corrupted=corrupt(evaluated.x, 0))


def test_each_measure_stands_beside_pcas(case: Case) -> None:
    judgement = judge(MEASURES, case, with_pca=True)
    own = run_measures(MEASURES, case).values
    train, evaluated, model = pca_counterpart(case.train, case.evaluated, LATENT_DIM, seed=0)
    pca = run_measures(MEASURES, replace(case, train=train, evaluated=evaluated, model=model)).values
    assert judgement.values == pytest.approx(own | {f"pca_{name}": value for name, value in pca.items()})
    assert set(judgement.seconds) == {*CHOICE, *(f"pca_{name}" for name in CHOICE), "image_codecs"}
    # A chart has them in this order.
    assert list(judgement.codecs) == ["autoencoder", "pca", "jpeg", "jpeg_mosaic", "webp", "webp_mosaic"]
    assert all({"bits_per_pixel", "psnr"} <= set(curve) for curve in judgement.codecs.values())


def test_without_pca_the_model_stands_alone(case: Case) -> None:
    judgement = judge(select_measures("evaluation.measures", ["mse"]), case, with_pca=False)
    assert set(judgement.values) == set(judgement.seconds) == {"mse"}
    assert judgement.codecs == {}


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The latent dimensions that PCA is fitted with."""
    seen: list[int] = []

    def counted(samples: FitSamples, shape: tuple[int, ...], latent_dim: int, *rest: Any) -> object:
        seen.append(latent_dim)
        return fitted_pca(samples, shape, latent_dim, *rest)

    monkeypatch.setattr(baseline, "fitted_pca", counted)
    return seen


def test_what_is_kept_is_not_measured_again(case: Case, tmp_path: Path, fits: list[int]) -> None:
    first = judge(MEASURES, replace(case, cache=Cache(tmp_path)), with_pca=True)
    second = judge(MEASURES, replace(case, cache=Cache(tmp_path)), with_pca=True)
    assert fits == [LATENT_DIM]
    assert second.values == first.values
    assert second.codecs == first.codecs
    kept = {name: seconds for name, seconds in first.seconds.items() if name.startswith("pca_")}
    assert kept.items() <= second.seconds.items()


def test_another_model_on_the_same_images_finds_pca_kept(case: Case, tmp_path: Path, fits: list[int]) -> None:
    judge(MEASURES, replace(case, cache=Cache(tmp_path)), with_pca=True)
    moved = replace(case.evaluated, codes=case.evaluated.codes + 1)
    judge(MEASURES, replace(case, evaluated=moved, cache=Cache(tmp_path)), with_pca=True)
    assert fits == [LATENT_DIM]


def longer_train(case: Case) -> EncodedSplit:
    return replace(case.train, codes=np.pad(case.train.codes, ((0, 0), (0, 2))))


def test_other_inputs_are_measured_anew(case: Case, tmp_path: Path, fits: list[int]) -> None:
    def again(changed: Case, choice: str = "mse") -> int:
        before = len(fits)
        judge(
            select_measures("evaluation.measures", [choice]),
            replace(changed, cache=Cache(tmp_path)),
            with_pca=True,
        )
        return len(fits) - before

    assert again(case) == 1
    assert again(case) == 0
    longer = np.pad(case.evaluated.codes, ((0, 0), (0, 2)))
    assert again(replace(case, evaluated=replace(case.evaluated, codes=longer), train=longer_train(case))) == 1
    assert again(replace(case, seed=1)) == 1
    assert again(replace(case, train=case.train.sample(500, 0))) == 1
    assert again(replace(case, evaluated=case.evaluated.sample(500, 0))) == 1
    noisier = replace(case, corrupted=corrupt(case.evaluated.x, 1))
    assert again(case, choice="denoising") == 1
    assert again(noisier, choice="denoising") == 1
    # What no corruption enters does not care about it.
    assert again(noisier) == 0


def test_a_models_own_clusters_are_judged_and_pca_has_none(case: Case) -> None:
    labels = case.evaluated.labels
    assert labels is not None
    # clusters under other names, one image in four put into the wrong one
    wrong = np.arange(len(labels)) % 4 == 0
    clusters = np.where(wrong, (labels + 1) % 10, labels)
    shares = np.eye(10, dtype=np.float32)[(clusters * 3) % 10]
    places = {row.tobytes(): number for number, row in enumerate(case.evaluated.codes)}
    assert case.model is not None
    model = replace(case.model, assign=lambda codes: shares[[places[row.tobytes()] for row in codes]])
    values = judge(
        select_measures("evaluation.measures", ["model_clusters", "mse"]), replace(case, model=model), with_pca=True
    ).values
    assert values["model_clusters_accuracy"] == pytest.approx(1 - wrong.mean())
    assert set(values) == {"model_clusters_accuracy", "model_clusters_nmi", "model_clusters_ari", "mse", "pca_mse"}


def pca_by_hand(case: Case, bounds: tuple[float, float] | None) -> float:
    """The error of scikit-learn's own PCA, clipped or not."""
    pixels, judged = (one.x.reshape(len(one), -1) for one in (case.train, case.evaluated))
    pca = PCA(LATENT_DIM).fit(pixels)
    decoded = pca.inverse_transform(pca.transform(judged))
    return float(np.square((decoded if bounds is None else decoded.clip(*bounds)) - judged).mean())


def test_pca_is_clipped_beside_a_model_whose_output_is_in_bounds(case: Case, tmp_path: Path) -> None:
    assert case.model is not None
    affine = replace(case, cache=Cache(tmp_path))
    bounded = replace(affine, model=replace(case.model, is_bounded=True))
    unbounded_values = replace(bounded, evaluated=replace(case.evaluated, value_range=None))
    mse = select_measures("evaluation.measures", ["mse"])
    found = [judge(mse, one, with_pca=True).values["pca_mse"] for one in (affine, bounded, unbounded_values)]
    clipped, unclipped = pca_by_hand(case, (0.0, 1.0)), pca_by_hand(case, None)
    assert clipped < 0.999 * unclipped
    assert found == pytest.approx([unclipped, clipped, unclipped], rel=1e-4)


@pytest.mark.parametrize("bits", [None, 48.0])
def test_pca_is_of_all_samples_that_it_may_be_fitted_to(case: Case, bits: float | None, tmp_path: Path) -> None:
    """Where measures see the codes of a few alone; and it is another one where those are others."""
    assert case.model is not None
    mse = select_measures("evaluation.measures", ["mse"])
    whole = replace(case, model=replace(case.model, code_bits=bits), cache=Cache(tmp_path))
    few = replace(whole, train=case.train.sample(50, 0))
    others = replace(few, fit_samples=FitSamples(lambda: case.evaluated.x))
    of_all = replace(few, fit_samples=FitSamples(lambda: case.train.x))
    found = [judge(mse, one, with_pca=True).values["pca_mse"] for one in (whole, few, others, of_all)]
    assert found[3] == found[0] > found[2]
    assert found[1] > 1.01 * found[0]


def test_quantised_pca_is_clipped_too(case: Case) -> None:
    assert case.model is not None
    discrete = [replace(case, model=replace(case.model, code_bits=48.0, is_bounded=one)) for one in (False, True)]
    mse = select_measures("evaluation.measures", ["mse"])
    unclipped, clipped = (judge(mse, one, with_pca=True).values["pca_mse"] for one in discrete)
    assert clipped < 0.99 * unclipped


def test_pca_beside_a_discrete_code_has_no_more_bits(case: Case) -> None:
    assert case.model is not None
    discrete = replace(case, model=replace(case.model, code_bits=24.0))
    values = judge(select_measures("evaluation.measures", ["compression"]), discrete, with_pca=True).values
    assert values["bits_per_pixel"] == 24.0 / 64
    assert 0.8 * 24.0 / 64 < values["pca_bits_per_pixel"] <= 24.0 / 64
