"""Mean average precision against scikit-learn's, and by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.metrics import average_precision_score

from ae_lightning.judging.encoded import EncodedSplit
from ae_lightning.judging.measures import retrieval
from ae_lightning.judging.measures.retrieval import average_precisions, hash_map, retrieval_map

Blobs = tuple[EncodedSplit, EncodedSplit]


@pytest.fixture
def noisy(blobs: Blobs) -> Blobs:
    rng = np.random.default_rng(1)
    moved = [replace(one, codes=one.codes + rng.normal(scale=8, size=one.codes.shape).astype("f")) for one in blobs]
    return moved[0], moved[1]


def expected_map(distances: np.ndarray, train: EncodedSplit, evaluated: EncodedSplit) -> float:
    scores = [
        average_precision_score(train.labels == label, -row)
        for row, label in zip(distances, evaluated.labels, strict=True)
    ]
    return float(np.mean(scores))


def test_average_precision_by_hand() -> None:
    distances = np.array([[0.1, 0.2, 0.3, 0.4]], np.float32)
    assert average_precisions(distances, np.array([[True, False, True, False]])) == pytest.approx([(1 + 2 / 3) / 2])
    assert average_precisions(distances, np.array([[False, False, False, False]])) == pytest.approx([0])


def test_what_is_as_near_shares_a_rank() -> None:
    assert average_precisions(np.zeros((1, 4), np.float32), np.eye(4, dtype=bool)[:1]) == pytest.approx([1 / 4])


def test_ties_share_the_last_rank_and_a_code_at_the_median_has_no_bit(blobs: Blobs) -> None:
    """Three of four training codes are 0, the median, in the one dimension that varies."""
    train, evaluated = blobs[0].select(np.arange(240)), blobs[1]
    codes = np.zeros((240, 2), np.float32)
    codes[180:, 0] = 1
    labels = (np.arange(240) % 4 == 3).astype(np.int64)
    labels[180:] = 1
    searched = replace(train, codes=codes, labels=labels)
    queries = replace(evaluated.select(np.arange(2)), codes=np.array([[0, 0], [1, 0]], "f"), labels=np.array([0, 1]))
    # The first is as near to all 180 zeros, 135 of its class; the second to 60 of its class, and then to 45 of 180.
    first, second = 135 / 180, (60 * 1 + 45 * 105 / 240) / 105
    assert hash_map(searched, queries, 0) == pytest.approx((first + second) / 2)
    constant = [replace(one, codes=np.zeros_like(one.codes)) for one in blobs]
    assert (hash_map(*constant, 0), retrieval_map(*constant, 0)) == pytest.approx((1 / 3, 1 / 3))


def test_by_distance_it_is_scikit_learns(noisy: Blobs) -> None:
    train, evaluated = noisy
    expected = expected_map(cdist(evaluated.codes, train.codes), train, evaluated)
    assert 0.4 < expected < 0.95
    assert retrieval_map(train, evaluated, 0) == pytest.approx(expected, abs=1e-5)


def test_by_hash_it_is_scikit_learns_on_hamming_distances(noisy: Blobs) -> None:
    train, evaluated = noisy
    bits, queries = (one.codes > np.median(train.codes, axis=0) for one in (train, evaluated))
    expected = expected_map(cdist(queries, bits, "hamming"), train, evaluated)
    assert hash_map(train, evaluated, 0) == pytest.approx(expected, abs=1e-6)


def test_pieces_give_what_the_whole_gives(noisy: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = retrieval_map(*noisy, 0), hash_map(*noisy, 0)
    monkeypatch.setattr(retrieval, "QUERIES_AT_ONCE", 7)
    assert (retrieval_map(*noisy, 0), hash_map(*noisy, 0)) == pytest.approx(whole, abs=1e-6)


def test_queries_are_the_same_whatever_the_seed(noisy: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrieval, "NUM_QUERIES", 20)
    assert retrieval_map(*noisy, 0) == retrieval_map(*noisy, 7) != retrieval_map(noisy[0], noisy[1].sample(20, 3), 0)
    monkeypatch.setattr(retrieval, "MAX_RETRIEVED_CODES", 50)
    assert 0 < retrieval_map(*noisy, 0) < 1
