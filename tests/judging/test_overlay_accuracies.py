"""Both classes of overlaid images, from a mixture's responsibilities."""

from __future__ import annotations

import numpy as np
import pytest

from ae_lightning.judging.encoded import EncodedSplit
from ae_lightning.judging.measures.overlay import overlay_accuracies
from ae_lightning.judging.mixture import fit_mixture

Blobs = tuple[EncodedSplit, EncodedSplit]
PAIRS = np.array([[0, 1], [1, 2], [2, 0]])


@pytest.fixture
def centres(blobs: Blobs) -> np.ndarray:
    train, _ = blobs
    return np.stack([train.codes[train.labels == one].mean(axis=0) for one in range(3)])


def test_codes_between_two_classes_name_both(blobs: Blobs, centres: np.ndarray) -> None:
    train, evaluated = blobs
    mixture = fit_mixture(train.codes, 3, seed=0)
    # Class 0 lies between the others, so that the middle of those two is its own.
    pairs = np.array([[0, 1], [2, 0]])
    between = 0.55 * centres[pairs[:, 0]] + 0.45 * centres[pairs[:, 1]]
    values = overlay_accuracies(mixture, evaluated, between, pairs)
    # Which of two classes is written first says nothing.
    assert values == overlay_accuracies(mixture, evaluated, between, pairs[:, ::-1])
    assert values == {"overlay_pair_accuracy": 1, "overlay_one_accuracy": 1}


def test_one_class_of_two_is_half_a_success(blobs: Blobs, centres: np.ndarray) -> None:
    train, evaluated = blobs
    mixture = fit_mixture(train.codes, 3, seed=0)
    nearer = np.argsort(np.linalg.norm(centres[0] - centres, axis=1))[1]
    wrong = ({1, 2} - {int(nearer)}).pop()
    values = overlay_accuracies(mixture, evaluated, centres[:1], np.array([[0, wrong]]))
    assert values["overlay_one_accuracy"] == 1
    values = overlay_accuracies(mixture, evaluated, centres[:1], np.array([[1, 2]]))
    assert values == {"overlay_pair_accuracy": 0, "overlay_one_accuracy": 0}


def test_a_mixture_of_one_component_names_no_pair(blobs: Blobs, centres: np.ndarray) -> None:
    train, evaluated = blobs
    values = overlay_accuracies(fit_mixture(train.codes, 1, seed=0), evaluated, centres, PAIRS)
    assert values["overlay_pair_accuracy"] == 0
