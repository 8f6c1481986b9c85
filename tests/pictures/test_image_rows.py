"""Denoising, interpolations and traversals: every image stands where its row and column say."""

from __future__ import annotations

import numpy as np
import pytest

from ae_lightning.judging.case import Case
from ae_lightning.judging.drawing.grids import named_grid
from ae_lightning.judging.drawing.style import to_png
from ae_lightning.judging.encoded import EncodedSplit
from ae_lightning.judging.picture_case import Corruption, PictureCase
from ae_lightning.judging.pictures.augmented import Augmented
from ae_lightning.judging.pictures.denoising import MAX_SHOWN, denoising
from ae_lightning.judging.pictures.interpolations import Paths, choose_pairs, interpolations, straight_lines
from ae_lightning.judging.pictures.latent_traversals import (
    MAX_DIMENSIONS,
    Traversals,
    latent_traversals,
    traversal_codes,
)
from ae_lightning.judging.pixels import psnr


def random_images(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape, dtype=np.float32)


def texts(labels) -> list[str]:
    return [label.get_text() for label in labels]


def test_denoising_stacks_three_kinds_with_their_decibels() -> None:
    clean, corrupted, restored = random_images(3, 4, 1, 5, 5)
    figure = denoising(clean, corrupted, restored, np.array([1, 0, -1, 1]), ["cat", "dog"], title="noise")
    (axes,) = figure.axes
    assert texts(axes.get_yticklabels()) == ["clean", "corrupted", "restored"]
    before, after = psnr(clean[:1], corrupted[:1]), psnr(clean[:1], restored[:1])
    assert texts(axes.texts)[:5] == ["dog", "cat", "unlabelled", "dog", f"{before:.1f} →\n{after:.1f} dB"]
    shown = axes.images[0].get_array()
    np.testing.assert_array_equal(shown[6:11, 6:11, 0], corrupted[1, 0])
    np.testing.assert_array_equal(shown[12:17, 6:11, 0], restored[1, 0])
    to_png(figure)


def test_draws_of_augmentation_lie_below_their_images() -> None:
    images = random_images(40, 1, 5, 5)
    split = EncodedSplit(images, np.zeros((40, 2), np.float32), None)

    def augment(rows: np.ndarray, seed: int) -> np.ndarray:
        return (rows + seed / 10).clip(0, 1).astype(np.float32)

    case = Case(split, split, 0, augment=augment)
    assert {"images", "augmentation"} <= case.given
    assert "augmentation" not in Case(split, split, 0).given
    (axes,) = Augmented().draw(PictureCase(case, "", Corruption("", augment), list, None, {})).axes
    assert texts(axes.get_yticklabels()) == ["image", *(f"draw {number}" for number in range(1, 7))]
    shown = axes.images[0].get_array()
    np.testing.assert_allclose(shown[18:23, :5, 0], (shown[:5, :5, 0] + 0.3).clip(0, 1), atol=1e-6)


def test_denoising_is_bounded() -> None:
    images = random_images(MAX_SHOWN + 5, 3, 4, 4)
    figure = denoising(images, images, images, np.zeros(len(images), np.int64))
    assert sum(len(axes.texts) for axes in figure.axes) == 2 * MAX_SHOWN


def test_a_grid_has_its_names() -> None:
    figure = named_grid(random_images(2, 3, 3, 4, 5), ["a", "b"], ["1", "2", "3"], "title")
    (axes,) = figure.axes
    assert (texts(axes.get_xticklabels()), texts(axes.get_yticklabels())) == (["1", "2", "3"], ["a", "b"])
    with pytest.raises(ValueError, match="1 × 3 names for 2 × 3 images"):
        named_grid(random_images(2, 3, 3, 4, 5), ["a"], ["1", "2", "3"], "title")


def test_lines_are_straight_and_have_both_ends() -> None:
    starts, ends = random_images(2, 3, 6)
    lines = straight_lines(starts, ends, 5)
    np.testing.assert_array_equal(lines[:, 0], starts)
    np.testing.assert_array_equal(lines[:, -1], ends)
    np.testing.assert_allclose(lines[:, 2], (starts + ends) / 2, rtol=1e-6)
    np.testing.assert_allclose(np.diff(lines, 2, axis=1), 0, atol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_pairs_are_of_two_classes(seed: int) -> None:
    labels = np.repeat([0, 1, 2], 20)
    starts, ends = choose_pairs(60, labels, 8, seed)
    assert (labels[starts] != labels[ends]).all()
    assert len(set(starts)) == 8
    np.testing.assert_array_equal(starts, choose_pairs(60, labels, 8, seed)[0])


def test_pairs_are_of_two_images_without_labels_and_of_what_there_is() -> None:
    starts, ends = choose_pairs(3, None, 8, 0)
    assert len(starts) == 3
    assert (starts != ends).all()
    assert len(choose_pairs(1, None, 8, 0)[1]) == 1
    assert len(choose_pairs(5, np.zeros(5, np.int64), 2, 0)[1]) == 2


@pytest.mark.parametrize("num_images", [2, 4, 8])
def test_no_path_leads_from_an_image_to_itself(num_images: int) -> None:
    for labels in (np.zeros(num_images, np.int64), np.arange(num_images), None):
        starts, ends = choose_pairs(num_images, labels, 8, 0)
        assert (starts != ends).all()


def test_a_path_goes_from_image_to_image() -> None:
    starts, ends = random_images(2, 2, 1, 4, 4)
    decoded = random_images(2, 3, 1, 4, 4)
    paths = Paths(starts, ends, random_images(2, 3, 6), decoded, [("cat", "dog"), ("dog", "cat")])
    (axes,) = interpolations(paths).axes
    assert texts(axes.get_yticklabels()) == ["cat → dog", "dog → cat"]
    assert texts(axes.get_xticklabels()) == ["image", "0%", "50%", "100%", "image"]
    shown = axes.images[0].get_array()[..., 0]
    np.testing.assert_array_equal(shown[5:9, :4], starts[1, 0])
    np.testing.assert_array_equal(shown[5:9, 10:14], decoded[1, 1, 0])
    np.testing.assert_array_equal(shown[5:9, 20:], ends[1, 0])


def test_a_traversal_moves_one_dimension_by_its_own_deviation() -> None:
    codes = np.random.default_rng(0).normal(size=(500, 3)).astype(np.float32) * np.array([1, 5, 0], np.float32)
    offsets = np.array([-2.0, 0.0, 2.0])
    dimensions, moved = traversal_codes(codes[7], codes, offsets)
    assert dimensions.tolist() == [0, 1, 2]
    for row in range(3):
        expected = np.tile(codes[7], (3, 1))
        expected[:, row] += offsets * codes[:, row].std()
        np.testing.assert_allclose(moved[row], expected, rtol=1e-5)


def test_the_dimensions_that_vary_most_are_traversed() -> None:
    scales = np.random.default_rng(1).permutation(40) + 1
    codes = (np.random.default_rng(0).normal(size=(2_000, 40)) * scales).astype(np.float32)
    dimensions, _ = traversal_codes(codes[0], codes, np.array([0.0]))
    assert len(dimensions) == MAX_DIMENSIONS
    assert set(dimensions) == set(np.argsort(-codes.std(axis=0))[:MAX_DIMENSIONS])


def test_traversals_have_dimensions_as_rows() -> None:
    decoded = random_images(2, 3, 3, 4, 4)
    traversals = Traversals(np.array([0, 11]), np.array([-1.5, 0, 1.5]), random_images(2, 3, 12), decoded, "image 7")
    figure = latent_traversals(traversals)
    assert "image 7" in figure.get_suptitle()
    assert texts(figure.axes[0].get_yticklabels()) == ["z₁", "z₁₂"]
    assert texts(figure.axes[0].get_xticklabels()) == ["−1.5 σ", "0", "+1.5 σ"]
    to_png(figure)
