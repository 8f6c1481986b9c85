"""What belongs together in an encoded split, and what it gives out."""

from __future__ import annotations

import numpy as np
import pytest

from ae_lightning.judging.encoded import EncodedSplit


def make(num: int = 20, **changes: np.ndarray | None) -> EncodedSplit:
    rng = np.random.default_rng(0)
    arrays: dict[str, np.ndarray | None] = {
        "x": rng.random((num, 1, 4, 4), dtype=np.float32),
        "codes": np.arange(num, dtype=np.float32)[:, None],
        "reconstructions": rng.random((num, 1, 4, 4), dtype=np.float32),
        "labels": np.arange(num, dtype=np.int64),
    }
    return EncodedSplit(**(arrays | changes))  # type: ignore[arg-type]


def test_a_sample_keeps_rows_together_and_is_fixed_by_its_seed() -> None:
    split = make()
    sample = split.sample(5, seed=3)
    assert len(sample) == 5
    rows = sample.labels
    np.testing.assert_array_equal(sample.codes[:, 0], rows)
    np.testing.assert_array_equal(sample.x, split.x[rows])
    np.testing.assert_array_equal(sample.reconstructions, split.reconstructions[rows])
    np.testing.assert_array_equal(split.sample(5, seed=3).labels, rows)
    assert not np.array_equal(split.sample(5, seed=4).labels, rows)


@pytest.mark.parametrize("num", [None, 20, 21])
def test_a_sample_of_everything_is_the_split_itself(num: int | None) -> None:
    split = make()
    assert split.sample(num, seed=0) is split


def test_a_sample_of_an_unlabelled_split_stays_unlabelled() -> None:
    sample = make(labels=None, reconstructions=None).sample(3, seed=0)
    assert sample.labels is None
    assert sample.reconstructions is None


def test_a_sample_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        make().sample(0, seed=0)


def test_missing_labels_are_left_out() -> None:
    codes, labels = make(3, labels=np.array([1, -1, 0])).labelled()
    np.testing.assert_array_equal(labels, [1, 0])
    np.testing.assert_array_equal(codes[:, 0], [0, 2])


@pytest.mark.parametrize("labels", [None, np.full(20, -1)])
def test_a_split_without_any_label_says_so(labels: np.ndarray | None) -> None:
    split = make(labels=labels)
    assert not split.has_labels
    with pytest.raises(ValueError, match="no labels"):
        split.labelled()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x": np.zeros(20, np.float32)}, "x: float32 with 1 axes"),
        ({"x": np.zeros((20, 1, 4, 4))}, "x: float64"),
        ({"x": np.full((20, 1, 4, 4), 2, np.float32)}, "not in"),
        ({"x": np.full((20, 1, 4, 4), np.nan, np.float32)}, "not in"),
        ({"x": np.zeros((0, 1, 4, 4), np.float32)}, "no samples"),
        ({"codes": np.zeros((19, 2), np.float32)}, "19 codes for 20 samples"),
        ({"reconstructions": np.zeros((20, 1, 4, 5), np.float32)}, "reconstructions of shape"),
        ({"labels": np.zeros(19, np.int64)}, "19 labels for 20 samples"),
        ({"labels": np.zeros(20, np.int32)}, "labels: int32"),
        ({"labels": np.full(20, -2)}, "label -2"),
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(changes: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**changes)
