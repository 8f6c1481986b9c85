import re
import zipfile

import numpy as np
import pytest
import torch

from ae_lightning.data.arrays.npz import read_npz
from ae_lightning.errors import DataError
from ae_lightning.spec import Factors

RANDOM = np.random.default_rng(0)


def pixels(*shape):
    return RANDOM.integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "images.npz"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((5, 6), (1, 5, 6)),
        ((5, 6, 1), (1, 5, 6)),
        ((5, 6, 3), (3, 5, 6)),
        ((1, 5, 6), (1, 5, 6)),
        ((3, 5, 6), (3, 5, 6)),
    ],
)
def test_every_layout_becomes_channels_first(path, given, expected):
    train, test = pixels(7, *given), pixels(3, *given)
    np.savez(path, x_train=train, x_test=test)
    images = read_npz(path)
    assert tuple(images.train.x.shape) == (7, *expected)
    moved = train[..., None] if train.ndim == 3 else train
    moved = moved.transpose(0, 3, 1, 2) if given[-1] in (1, 3) or train.ndim == 3 else moved
    assert np.array_equal(images.train.x.numpy(), moved)
    assert images.class_names is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [((5, 6, 2), (2, 5, 6)), ((4, 5, 6), (4, 5, 6)), ((9, 5, 7), (7, 9, 5)), ((5, 7, 3), (3, 5, 7))],
)
def test_other_channels_are_at_the_shorter_end(path, given, expected):
    train = pixels(7, *given)
    np.savez(path, x_train=train, x_test=train)
    moved = train if given == expected else train.transpose(0, 3, 1, 2)
    assert moved.shape[1:] == expected
    assert np.array_equal(read_npz(path).train.x.numpy(), moved)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4"])
def test_floating_point_images_keep_every_value(path, dtype):
    exact = RANDOM.random((5000, 4, 4)).astype(dtype)
    np.savez_compressed(path, x_train=exact, x_test=exact[:2])
    read = read_npz(path).train.x
    assert read.dtype == torch.float32
    assert np.array_equal(read.numpy()[:, 0], exact.astype(np.float32))


@pytest.mark.parametrize("dtype", [np.uint16, ">u2"])
def test_16_bit_images_keep_their_depth(path, dtype):
    exact = RANDOM.integers(0, 65536, (30, 4, 5, 3)).astype(dtype)
    np.savez(path, x_train=exact, x_test=exact[:2])
    read = read_npz(path).train
    assert read.x.dtype == torch.uint16
    assert np.array_equal(read.x.numpy(), exact.transpose(0, 3, 1, 2))
    assert np.array_equal(read.select(torch.tensor([3, 1])).x.numpy(), exact[[3, 1]].transpose(0, 3, 1, 2))


@pytest.mark.parametrize(
    ("dtype", "kept_as"),
    [
        (np.float64, np.float32),
        (np.int64, np.float32),
        (np.int8, np.float32),
        (np.uint32, np.float32),
        (np.uint16, np.uint16),
        (np.uint8, np.uint8),
        (bool, np.uint8),
    ],
)
def test_two_axes_are_vectors_of_any_real_type(path, dtype, kept_as):
    train = RANDOM.integers(0, 100, (40, 5)).astype(dtype)
    np.savez(path, x_train=train, x_test=train[:3])
    read = read_npz(path)
    assert read.train.x.numpy().dtype == kept_as
    assert read.train.shape == (5,)
    assert np.array_equal(read.train.x.numpy(), train)


def test_vectors_of_two_types_are_kept_as_one(path):
    np.savez(path, x_train=np.ones((4, 5), np.uint8), x_test=np.full((2, 5), 0.5))
    read = read_npz(path)
    assert (read.train.x.dtype, read.test.x.dtype) == (torch.float32, torch.float32)
    assert read.test.x.eq(0.5).all()


@pytest.mark.parametrize("named", [True, False])
def test_factors_become_places_among_their_values(path, named):
    factors = {"factors_train": [[10, -1], [30, 4], [10, 4], [20, 4]], "factors_test": [[40, -1], [10, 4]]}
    names = {"factor_names": ["size", "turn"]} if named else {}
    np.savez(path, x_train=pixels(4, 5), x_test=pixels(2, 5), **factors, **names)
    read = read_npz(path)
    assert read.factors == Factors(("size", "turn") if named else ("0", "1"), (4, 2))
    assert read.train.factors.tolist() == [[0, 0], [2, 1], [0, 1], [1, 1]]
    assert read.test.factors.tolist() == [[3, 0], [0, 1]]
    assert read.train.select(torch.tensor([2])).factors.tolist() == [[0, 1]]


def test_labels_of_two_types_name_classes_by_whole_numbers(path):
    images = np.zeros((2, 8, 8), np.uint8)
    labels = {"y_train": np.array([7, 1], np.uint64), "y_test": np.array([7, -1], np.int64)}
    np.savez(path, x_train=images, x_test=images, **labels)
    read = read_npz(path)
    assert read.class_names == ("1", "7")
    assert read.test.labels.tolist() == [1, -1]


def test_labels_become_positions_in_the_class_names(path):
    np.savez(path, x_train=pixels(4, 2, 2), x_test=pixels(2, 2, 2), y_train=[7, 3, 7, 3], y_test=[3, 9])
    images = read_npz(path)
    assert images.class_names == ("3", "7", "9")
    assert images.train.labels.tolist() == [1, 0, 1, 0]
    assert images.test.labels.tolist() == [0, 2]
    assert images.train.labels.dtype == torch.int64


FINE = {"x_train": pixels(4, 8, 8), "x_test": pixels(2, 8, 8)}
LABELS = {"y_train": np.zeros(4, int), "y_test": np.zeros(2, int)}
FACTORS = {"factors_train": np.zeros((4, 2), int), "factors_test": np.zeros((2, 2), int)}
WRONG = {
    "NaN": (
        {"x_train": np.full((4, 8, 8), np.nan), "x_test": np.zeros((2, 8, 8))},
        "x_train has values that are NaN, infinite or too large for 32 bits",
    ),
    "infinite": ({"x_train": np.zeros((4, 5)), "x_test": np.full((2, 5), -np.inf)}, "x_test has values that are NaN"),
    "too large": ({"x_train": np.full((4, 5), 1e300), "x_test": np.zeros((2, 5))}, "x_train has values that are NaN"),
    "object": ({"x_train": np.array([None] * 4)}, "x_train has dtype object"),
    "integer": ({"x_train": np.full((4, 8, 8), -1, np.int64)}, "x_train has dtype int64 and values from -1 to -1"),
    "large integer": ({"x_test": np.full((2, 8, 8), 70000)}, "x_test has dtype int64 and values from 70000 to 70000"),
    "complex": ({"x_train": np.zeros((4, 8), complex)}, "x_train has dtype complex128"),
    "two types": ({"x_test": np.zeros((2, 8, 8))}, "x_train is uint8, x_test float64; images must be of one type"),
    "vectors and images": ({"x_train": pixels(4, 64)}, r"x_train and x_test differ in shape: \(4, 64\) and"),
    "five dimensions": ({"x_test": pixels(2, 1, 8, 8, 1)}, "x_test has shape"),
    "one dimension": ({"x_test": pixels(2)}, "x_test has shape"),
    "channels": ({"x_train": pixels(4, 8, 7, 8)}, "in which the channels may be first or last"),
    "other size": ({"x_test": pixels(2, 9, 8)}, "x_train and x_test differ in shape"),
    "empty": ({"x_test": pixels(0, 8, 8)}, "x_test is empty"),
    "factors of one split": ({"factors_test": FACTORS["factors_test"]}, "factors_train is missing"),
    "factor dtype": ({**FACTORS, "factors_test": np.zeros((2, 2))}, "factors_test has dtype float64"),
    "factor shape": ({**FACTORS, "factors_test": np.zeros(2, int)}, r"factors_test has shape \(2,\)"),
    "factors of others": (
        {**FACTORS, "factors_train": np.zeros((3, 2), int)},
        "factors_train has 3 rows for 4 samples",
    ),
    "other factors": (
        {**FACTORS, "factors_test": np.zeros((2, 3), int)},
        "factors_train has 2 factors, factors_test 3",
    ),
    "names": ({**FACTORS, "factor_names": ["one"]}, r"factor_names has dtype <U3 and shape \(1,\); 2 words are needed"),
    "too many labels": ({**LABELS, "y_test": np.zeros(3, int)}, "y_test has 3 labels for 2 samples"),
    "label size": ({**LABELS, "y_train": np.full(4, 2**63, np.uint64)}, "y_train has the label 9223372036854775808"),
    "label dtype": ({**LABELS, "y_train": np.zeros(4)}, "y_train has dtype float64"),
    "label shape": ({**LABELS, "y_train": np.zeros((4, 10, 1), int)}, r"y_train has shape \(4, 10, 1\)"),
    "label columns": ({"y_train": np.full((4, 2), 2), "y_test": np.full((2, 2), 2)}, "each must hold 0 and 1 alone"),
    "other label columns": ({"y_train": np.eye(4), "y_test": np.eye(2)}, "must have as many columns"),
    "words and numbers": ({**LABELS, "y_test": ["a", "b"]}, "some are words, others whole numbers"),
    "labels of no samples": ({"y_train": np.zeros(4), "y_val": np.zeros(4), "y_test": np.zeros(2)}, "x_val is missing"),
    "negative label": (
        {**LABELS, "y_train": np.array([0, 1, -2, 0])},
        "y_train has the negative label -2; −1 alone is allowed",
    ),
    "labels of one split": ({"y_train": LABELS["y_train"]}, "y_test is missing"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_a_wrong_array_is_named(path, fault):
    arrays, words = WRONG[fault]
    np.savez(path, **{**FINE, **arrays})
    with pytest.raises(DataError, match=words) as caught:
        read_npz(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_array_is_named_and_those_that_are_there(path):
    np.savez(path, x_test=pixels(2, 8, 8), ids=np.arange(2))
    there = r"\(there: x_test \(2, 8, 8\) uint8, ids \(2,\) int64\)"
    with pytest.raises(DataError, match=rf"the array x_train is missing {there}"):
        read_npz(path)


def test_a_missing_file_is_named(path):
    with pytest.raises(DataError, match=re.escape(f"there is no file {path}")):
        read_npz(path)


@pytest.mark.parametrize("content", [b"", b"no archive at all", b"PK\x03\x04 the beginning of one"])
def test_a_file_of_another_format_is_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"images\.npz cannot be read"):
        read_npz(path)


def test_a_truncated_file_is_refused(path):
    np.savez(path, **FINE)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match=r"images\.npz cannot be read"):
        read_npz(path)


def test_damaged_pixels_are_refused(path):
    np.savez(path, **FINE)
    content = bytearray(path.read_bytes())
    start = content.find(FINE["x_test"].tobytes())
    content[start] ^= 255
    path.write_bytes(content)
    with pytest.raises(DataError, match="x_test"):
        read_npz(path)


def declare(path, shape):
    """Write an archive whose x_train claims a shape and holds next to nothing."""
    np.savez(path, x_test=FINE["x_test"])
    with zipfile.ZipFile(path, "a") as archive, archive.open("x_train.npy", "w") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)


def test_an_array_that_declares_more_than_it_holds_is_refused(path):
    declare(path, (10**9, 1000, 1000))
    with pytest.raises(DataError, match=r"x_train\.npy declares 1000000000000000 bytes but holds"):
        read_npz(path)


@pytest.mark.parametrize(
    ("dtype", "needed"),
    [
        # twice x_train, and x_test
        (np.uint8, 2 * 256 + 128),
        # x_train as it is stored and in 32 bits
        (np.float64, 256 * 12),
    ],
)
def test_arrays_larger_than_memory_are_refused(path, monkeypatch, dtype, needed):
    np.savez(path, x_train=np.zeros((4, 8, 8), dtype), x_test=np.zeros((2, 8, 8), dtype))
    monkeypatch.setattr("psutil.virtual_memory", lambda: type("Memory", (), {"available": needed}))
    read_npz(path)
    monkeypatch.setattr("psutil.virtual_memory", lambda: type("Memory", (), {"available": needed - 1}))
    with pytest.raises(DataError, match=r"x_train and x_test together: needs .* GiB of memory"):
        read_npz(path)


def test_the_real_cifar_subset(real_data):
    images = read_npz(real_data / "cifar10_subset.npz")
    assert images.train.x.shape == (10_000, 3, 32, 32)
    assert images.test.x.shape == (1_000, 3, 32, 32)
    assert len(images.class_names) == 10
