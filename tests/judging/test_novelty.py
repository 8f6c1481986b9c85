"""Telling a class that training never saw."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ae_lightning.judging.case import holds_novelty
from ae_lightning.judging.encoded import EncodedSplit
from ae_lightning.judging.measures.novelty import novelty_auroc, novelty_auroc_code
from ae_lightning.judging.mixture import fit_mixture

Blobs = tuple[EncodedSplit, EncodedSplit]


def with_errors(split: EncodedSplit, errors: np.ndarray) -> EncodedSplit:
    off = np.sqrt(errors, dtype=np.float32)[:, None, None, None]
    return replace(split, reconstructions=split.x + off)


def test_it_is_the_share_of_pairs_in_the_right_order(blobs: Blobs) -> None:
    _, evaluated = blobs
    errors = np.random.default_rng(0).random(len(evaluated)) + 0.3 * (evaluated.labels == 2)
    novel, known = errors[evaluated.labels == 2], errors[evaluated.labels != 2]
    expected = (novel[:, None] > known[None]).mean()
    assert novelty_auroc(with_errors(evaluated, errors), 2) == pytest.approx(expected)


def test_unlabelled_images_are_left_out(blobs: Blobs) -> None:
    _, evaluated = blobs
    errors = np.where(evaluated.labels == 2, 2.0, 1.0)
    errors[::5] = 9
    labels = evaluated.labels.copy()
    labels[::5] = -1
    assert novelty_auroc(with_errors(replace(evaluated, labels=labels), errors), 2) == 1


def test_codes_far_from_all_that_training_saw_are_novel(blobs: Blobs) -> None:
    train, evaluated = blobs
    mixture = fit_mixture(train.codes[train.labels != 2], 2, seed=0)
    assert novelty_auroc_code(mixture, evaluated, 2) == 1
    assert novelty_auroc_code(mixture, evaluated, 1) < 0.6


def test_without_both_kinds_there_is_nothing_to_tell(blobs: Blobs) -> None:
    _, evaluated = blobs
    assert holds_novelty(evaluated, 2)
    assert not holds_novelty(evaluated, None)
    assert not holds_novelty(evaluated, 7)
    assert not holds_novelty(replace(evaluated, labels=None), 2)
    assert not holds_novelty(replace(evaluated, labels=np.where(evaluated.labels == 2, 2, -1)), 2)
