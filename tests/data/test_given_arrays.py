"""Arrays of a Python program as a data set."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ae_lightning.data.arrays.given import arrays_given, as_stored, gather_arrays, given_arrays
from ae_lightning.errors import DataError

X = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)


@pytest.mark.parametrize(
    ("x", "shape", "dtype"),
    [
        (X, (4, 1, 2, 3), torch.uint8),
        (X[..., None].repeat(3, axis=3), (4, 3, 2, 3), torch.uint8),
        (torch.zeros(4, 3, 8, 8, dtype=torch.bfloat16), (4, 3, 8, 8), torch.float32),
        (X.astype(np.uint16), (4, 1, 2, 3), torch.uint16),
        (X > 9, (4, 1, 2, 3), torch.uint8),
        ([[1, 2], [3, 4]], (2, 2), torch.float32),
    ],
)
def test_samples_are_kept_as_sources_keep_them(x, shape, dtype):
    stored = as_stored("x", x)
    assert (tuple(stored.shape), stored.dtype) == (shape, dtype)


def test_images_of_truth_values_are_black_and_white():
    given = X > 9
    assert torch.equal(as_stored("x", given)[:, 0], torch.from_numpy(given) * 255)
    assert given.max() == 1
    assert as_stored("x", [[True, False]]).tolist() == [[1, 0]]


@pytest.mark.parametrize(
    ("y", "names", "labels"),
    [
        ([7, 3, -1, 7], ("3", "7"), [1, 0, -1, 1]),
        (np.array(["b", "a", "a", "c"], object), ("a", "b", "c"), [1, 0, 0, 2]),
        (torch.tensor([True, False, True, True]), ("0", "1"), [1, 0, 1, 1]),
        ([10, 9, 9, 10], ("9", "10"), [1, 0, 0, 1]),
        ([-1, -1, -1, -1], None, None),
        (["b", "", "a", "b"], ("a", "b"), [1, -1, 0, 1]),
        (np.array(["", "", "", "a"], object), ("a",), [-1, -1, -1, 0]),
        (["", "", "", ""], None, None),
    ],
)
def test_labels_are_numbers_or_words(y, names, labels):
    given = gather_arrays(X, y)
    assert given.class_names == names
    assert (None if given.samples.labels is None else given.samples.labels.tolist()) == labels


def test_an_array_in_which_nothing_is_masked_is_taken():
    assert torch.equal(as_stored("x", np.ma.masked_array(X)), as_stored("x", X))
    assert torch.equal(as_stored("x", np.ma.masked_array(X, mask=np.zeros(X.shape, bool))), as_stored("x", X))


def test_what_is_held_out_follows_the_seed():
    given = gather_arrays(np.arange(50, dtype=np.uint8).reshape(50, 1, 1))
    tests = [given.divided(seed).test.x.flatten().tolist() for seed in (0, 0, 1)]
    assert len(tests[0]) == 10
    assert tests[0] == tests[1] != tests[2]


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ((X > 9).astype(np.uint8)[None], "x holds bytes of 0 and 1 alone, and white is 255; give x.astype(bool)"),
        ((X, [0.5] * 4), "y has dtype float64 and shape (4,); labels are whole numbers or words"),
        ((X, [-2, 0, 0, 0]), "y has the negative label -2; −1 alone is allowed"),
        ((X, [1, 2]), "there are 2 labels for 4 samples"),
        ((X, [1, 2, 3, 4], X), "y and y_test: give both of them or neither"),
        ((X, [1, 2, 3, 4], X, list("abcd")), "y and y_test: one has words, the other whole numbers"),
        ((X, None, X / 255), "x is uint8, x_test float32; they must be of one type"),
        ((X[0, 0],), "x has shape (3,); images must have"),
        ((np.full((2, 3, 3), np.nan),), "x has values that are NaN"),
        ((np.ma.masked_greater(X, 20),), "x has 3 masked values; fill them or leave their samples out"),
        ((list(np.ma.masked_greater(X, 20)),), "x has 3 masked values"),
        ((X, np.ma.masked_equal([1, 2, 2, 1], 2)), "y has 2 masked values; fill them or leave their samples out"),
    ],
)
def test_what_fits_nothing_is_refused(arrays, said):
    with pytest.raises(DataError) as raised:
        gather_arrays(*arrays)
    assert str(raised.value).startswith(said)


def test_they_are_there_for_a_while():
    with arrays_given(gather_arrays(X)):
        assert len(given_arrays().samples) == 4
    with pytest.raises(DataError, match=r"^data.name: arrays were given from Python"):
        given_arrays()


def test_what_is_held_out_is_said():
    images = np.zeros((10, 4, 4), np.uint8)
    assert gather_arrays(images).divided(0).notes == ("test is 20% of x, held out (no x_test)",)
    assert gather_arrays(images, x_test=images).divided(0).notes == ()
