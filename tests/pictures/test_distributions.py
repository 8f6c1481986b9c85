"""Histograms of codes, confusion of clusters, novelty, compression: what is drawn are the numbers."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from ae_lightning.judging.clustering import cluster_accuracy
from ae_lightning.judging.drawing.confusion import cluster_name, confusion
from ae_lightning.judging.drawing.style import to_png
from ae_lightning.judging.pictures.code_histograms import MAX_DIMENSIONS, code_histograms
from ae_lightning.judging.pictures.compression import compression
from ae_lightning.judging.pictures.novelty import novelty


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_the_prior_is_drawn_as_its_density() -> None:
    figure = code_histograms(normal(500, 2), normal(200_000, 2, seed=1))
    assert len(figure.axes) == 2
    (line,) = figure.axes[0].lines
    x, density = line.get_data()
    np.testing.assert_allclose(density, np.exp(-np.square(x) / 2) / np.sqrt(2 * np.pi), atol=0.02)


def test_each_dimension_says_its_moments() -> None:
    codes = normal(500, 2) * np.array([1, 3], np.float32) - np.array([0, 4], np.float32)
    titles = [axes.get_title() for axes in code_histograms(codes, normal(500, 2)).axes]
    assert titles[1] == f"z₂: mean {codes[:, 1].mean():.2f}, std {codes[:, 1].std():.2f}".replace("-", "−")


def test_a_collapsed_dimension_leaves_the_prior_to_be_seen() -> None:
    codes = normal(500, 2) * np.array([1, 1e-4], np.float32)
    figure = code_histograms(codes, normal(10_000, 2, seed=1))
    low, high = figure.axes[1].get_ylim()
    assert low == 0
    assert high < 1.5
    to_png(figure)


def test_of_many_dimensions_those_that_vary_most_are_shown() -> None:
    codes = normal(50, 100) * np.arange(100, dtype=np.float32)
    figure = code_histograms(codes, normal(50, 100))
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert len(titles) == MAX_DIMENSIONS
    assert titles[-1].startswith("z₁₀₀")
    assert "the 32 of 100 dimensions that vary most" in figure.get_suptitle()


def test_constant_codes_are_drawn_and_unlike_ones_refused() -> None:
    to_png(code_histograms(np.zeros((9, 3), np.float32), normal(50, 3)))
    with pytest.raises(ValueError, match="against a prior"):
        code_histograms(normal(5, 3), normal(5, 2))


def test_the_diagonal_is_what_counts_as_right() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 400)
    clusters = np.where(rng.random(400) < 0.7, 3 - labels, rng.integers(0, 4, 400))
    axes = confusion(labels, clusters, ["a", "b", "c", "d"]).axes[0]
    shares = np.asarray(axes.images[0].get_array())
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    counts = np.bincount(labels)
    assert (np.diag(shares) * counts).sum() / 400 == pytest.approx(cluster_accuracy(labels, clusters))
    assert [label.get_text() for label in axes.get_xticklabels()] == [f"cluster {letter}" for letter in "abcd"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b", "c", "d"]


@pytest.mark.parametrize("num_clusters", [1, 3, 9])
def test_clusters_need_not_be_as_many_as_classes(num_clusters: int) -> None:
    labels = np.arange(60) % 5 - 1
    figure = confusion(labels, np.arange(60) % num_clusters)
    assert np.asarray(figure.axes[0].images[0].get_array()).shape == (4, num_clusters)
    to_png(figure)


@pytest.mark.parametrize(("place", "name"), [(0, "a"), (25, "z"), (26, "aa"), (701, "zz"), (702, "aaa")])
def test_clusters_have_letters_for_names(place: int, name: str) -> None:
    assert cluster_name(place) == f"cluster {name}"


def test_a_hundred_classes_fit() -> None:
    to_png(confusion(np.arange(1000) % 100, np.arange(1000) % 100))


def test_without_a_label_there_is_no_confusion() -> None:
    with pytest.raises(ValueError, match="0 labels of 3 images"):
        confusion(np.full(3, -1), np.zeros(3, np.int64))


def test_novelty_draws_the_curve_whose_area_it_says() -> None:
    rng = np.random.default_rng(0)
    is_novel = rng.random(300) < 0.2
    scores = {"error": rng.normal(size=300) + 2 * is_novel, "code": rng.normal(size=300)}
    figure = novelty(scores, is_novel, "the 7 left out")
    *panels, curves = figure.axes
    assert [axes.get_xlabel() for axes in panels] == ["error", "code"]
    for line, (name, values) in zip(curves.lines, scores.items(), strict=False):
        x, y = line.get_data()
        area = roc_auc_score(is_novel, values)
        assert np.trapezoid(y, x) == pytest.approx(area)
        assert line.get_label() == f"{name}: AUROC {area:.3f}"
    to_png(figure)


@pytest.mark.parametrize("value", [True, False])
def test_novelty_needs_both_kinds(value: bool) -> None:
    with pytest.raises(ValueError, match="some must be, and some not"):
        novelty({"error": np.zeros(4)}, np.full(4, value))


@pytest.mark.filterwarnings("error")
def test_a_rare_class_far_out_is_not_cut_off() -> None:
    is_novel = np.arange(2000) < 5
    figure = novelty({"error": np.where(is_novel, 50.0, 1.0) + np.linspace(0, 0.1, 2000)}, is_novel, "novelty")
    assert figure.axes[0].get_xlim()[1] > 50
    constant = novelty({"error": np.ones(2000)}, is_novel, "novelty")
    assert len(to_png(constant)) > 0


def test_compression_draws_every_codec() -> None:
    curves = {
        "VAE": {"bits_per_pixel": [0.1, 0.2, 0.4], "psnr": [15.0, 17.0, 18.0]},
        "JPEG": {"bits_per_pixel": [1.0, 2.0], "psnr": [20.0, 30.0]},
    }
    (axes,) = compression(curves).axes
    assert [line.get_label() for line in axes.lines] == ["VAE", "JPEG"]
    np.testing.assert_array_equal(axes.lines[0].get_data(), list(curves["VAE"].values()))
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_xscale()) == ("bits per pixel", "PSNR (dB)", "log")
    to_png(axes.figure)
    with pytest.raises(ValueError, match="PCA: rates"):
        compression({"PCA": {"bits_per_pixel": [0.1, 0.2], "psnr": [15.0]}})
