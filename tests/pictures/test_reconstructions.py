"""Inputs lie over outputs, and the worst come first."""

from __future__ import annotations

import numpy as np
import pytest

from ae_lightning.judging.case import Case
from ae_lightning.judging.drawing.style import to_png
from ae_lightning.judging.encoded import EncodedSplit
from ae_lightning.judging.pca import FitSamples, fitted_pca
from ae_lightning.judging.picture_case import Corruption, PictureCase
from ae_lightning.judging.pictures.reconstructions import MAX_PAIRS, Reconstructions, reconstructions
from ae_lightning.judging.pictures.worst_reconstructions import worst_reconstructions


def pair(num: int, channels: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return tuple(rng.random((2, num, channels, 5, 5), dtype=np.float32))  # type: ignore[return-value]


@pytest.mark.parametrize(("num", "num_axes"), [(1, 1), (12, 1), (13, 2), (100, MAX_PAIRS // 12)])
def test_twelve_pairs_a_row(num: int, num_axes: int) -> None:
    figure = reconstructions(*pair(num), title="of the test split")
    assert len(figure.axes) == num_axes
    assert figure.get_suptitle() == "of the test split"
    for axes in figure.axes:
        assert [text.get_text() for text in axes.get_yticklabels()] == ["input", "output"]


def test_pcas_reconstructions_lie_under_the_models() -> None:
    inputs, outputs = pair(3)
    split = EncodedSplit(inputs, np.zeros((3, 2), np.float32), outputs)
    pca = fitted_pca(FitSamples(lambda: inputs), inputs.shape[1:], latent_dim=1, seed=0)
    case = PictureCase(Case(split, split, 0), "", Corruption("", lambda rows, seed: rows), list, None, {}, lambda: pca)
    (axes,) = Reconstructions().draw(case).axes
    assert [text.get_text() for text in axes.get_yticklabels()] == ["input", "output", "PCA"]
    shown = axes.images[0].get_array()
    np.testing.assert_array_equal(shown[12:17, :5, 0], pca.restore(inputs)[0, 0].clip(0, 1))


@pytest.mark.parametrize("channels", [1, 3])
def test_outputs_lie_under_their_inputs_in_an_incomplete_row_too(channels: int) -> None:
    inputs, outputs = pair(15, channels)
    shown = reconstructions(inputs, outputs).axes[1].images[0].get_array()
    for column in range(3):
        left = column * 6
        for top, images in ((0, inputs), (6, outputs)):
            tile = np.broadcast_to(images[12 + column].transpose(1, 2, 0), (5, 5, 3))
            np.testing.assert_array_equal(shown[top : top + 5, left : left + 5], tile)


def test_class_names_stand_above() -> None:
    figure = reconstructions(*pair(3), labels=np.array([1, -1, 0]), class_names=["cat", "dog"])
    assert [text.get_text() for text in figure.axes[0].texts] == ["dog", "unlabelled", "cat"]
    to_png(figure)


def test_worst_come_first_with_their_error_below() -> None:
    inputs, outputs = pair(4)
    figure = worst_reconstructions(inputs, outputs, np.array([0.1, 0.4, 0.2, 0.3]), np.arange(4))
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == [
        "1", "3", "2", "0", "mse\n0.4000", "mse\n0.3000", "mse\n0.2000", "mse\n0.1000",
    ]  # fmt: skip
    np.testing.assert_array_equal(axes.images[0].get_array()[:5, :5, 0], inputs[1, 0])
    to_png(figure)


def test_names_of_files_stand_below_the_worst_as_far_as_they_fit() -> None:
    keys = ["cats/1.png", "IMG_20230412_101112.jpg", "x[123]", "cats/odd$\n$.png"]
    (axes,) = worst_reconstructions(*pair(4), np.array([0.4, 0.3, 0.2, 0.1]), key_of=keys.__getitem__).axes
    shown = [text.get_text().partition("\n")[2].partition("\n")[2] for text in axes.texts]
    assert shown == ["1.png", "…2_101112", "[123]", r"odd$\n$"]


def test_what_does_not_pair_is_refused() -> None:
    inputs, outputs = pair(4)
    with pytest.raises(ValueError, match="one and the same is needed"):
        reconstructions(inputs, outputs[:3])
    with pytest.raises(ValueError, match="one and the same is needed"):
        reconstructions(inputs[:0], outputs[:0])
    with pytest.raises(ValueError, match="3 errors for 4 images"):
        worst_reconstructions(inputs, outputs, np.zeros(3))
