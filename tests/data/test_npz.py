import re
import zipfile

import numpy as np
import pytest
import torch

from ae_lightning.data.npz import read_npz
from ae_lightning.errors import DataError

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
    assert tuple(images.train.images.shape) == (7, *expected)
    moved = train[..., None] if train.ndim == 3 else train
    moved = moved.transpose(0, 3, 1, 2) if given[-1] in (1, 3) or train.ndim == 3 else moved
    assert np.array_equal(images.train.images.numpy(), moved)
    assert images.class_names is None


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floating_point_images_are_rounded_to_bytes(path, dtype):
    exact = pixels(5000, 4, 4)
    np.savez_compressed(path, x_train=(exact / 255).astype(dtype), x_test=(exact[:2] / 255).astype(dtype))
    assert np.array_equal(read_npz(path).train.images.numpy()[:, 0], exact)


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
WRONG = {
    "NaN": ({"x_train": np.full((4, 8, 8), np.nan)}, "x_train contains NaN"),
    "infinite": ({"x_train": np.full((4, 8, 8), np.inf)}, "x_train has values from inf to inf"),
    "range": ({"x_test": np.full((2, 8, 8), 255.0)}, "x_test has values from 255 to 255"),
    "negative": ({"x_test": np.full((2, 8, 8), -0.5)}, "x_test has values from -0.5"),
    "object": ({"x_train": np.array([None] * 4)}, "x_train has dtype object"),
    "integer": ({"x_train": np.zeros((4, 8, 8), np.int64)}, "x_train has dtype int64"),
    "two dimensions": ({"x_train": pixels(4, 64)}, r"x_train has shape \(4, 64\)"),
    "five dimensions": ({"x_test": pixels(2, 1, 8, 8, 1)}, "x_test has shape"),
    "channels": ({"x_train": pixels(4, 8, 8, 2)}, r"x_train has shape \(4, 8, 8, 2\)"),
    "other size": ({"x_test": pixels(2, 9, 8)}, "x_train and x_test differ in shape"),
    "empty": ({"x_test": pixels(0, 8, 8)}, "x_test is empty"),
    "too many labels": ({**LABELS, "y_test": np.zeros(3, int)}, "y_test has 3 labels for 2 images"),
    "label size": ({**LABELS, "y_train": np.full(4, 2**63, np.uint64)}, "y_train has the label 9223372036854775808"),
    "label dtype": ({**LABELS, "y_train": np.zeros(4)}, "y_train has dtype float64"),
    "label shape": ({**LABELS, "y_train": np.zeros((4, 10), int)}, r"y_train has shape \(4, 10\)"),
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


@pytest.mark.parametrize("name", ["x_train", "x_test"])
def test_a_missing_array_is_named(path, name):
    np.savez(path, **{other: array for other, array in FINE.items() if other != name})
    with pytest.raises(DataError, match=f"the array {name} is missing"):
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
        # x_train as it is stored and in bytes
        (np.float64, 256 * 9),
    ],
)
def test_arrays_larger_than_memory_are_refused(path, monkeypatch, dtype, needed):
    np.savez(path, x_train=np.zeros((4, 8, 8), dtype), x_test=np.zeros((2, 8, 8), np.uint8))
    monkeypatch.setattr("psutil.virtual_memory", lambda: type("Memory", (), {"available": needed}))
    read_npz(path)
    monkeypatch.setattr("psutil.virtual_memory", lambda: type("Memory", (), {"available": needed - 1}))
    with pytest.raises(DataError, match=r"x_train and x_test together: needs .* GiB of memory"):
        read_npz(path)


def test_the_real_cifar_subset(real_data):
    images = read_npz(real_data / "cifar10_subset.npz")
    assert images.train.images.shape == (10_000, 3, 32, 32)
    assert images.test.images.shape == (1_000, 3, 32, 32)
    assert len(images.class_names) == 10
