"""Archives as they are published: names, axes, types and labels of every kind, each with the right values."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest
import torch

from ae_lightning.data.arrays.npz import read_npz
from ae_lightning.errors import DataError

RANDOM = np.random.default_rng(0)


def pixels(*shape):
    return RANDOM.integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "own.npz"


def labels(split):
    return split.labels.tolist()


def test_medmnist(path):
    x = {f"{part}_images": pixels(num, 5, 6, 3) for part, num in (("train", 9), ("val", 4), ("test", 3))}
    y = {f"{part}_labels": np.arange(num)[:, None] % 3 for part, num in (("train", 9), ("val", 4), ("test", 3))}
    np.savez(path, **x, **y)
    read = read_npz(path)
    for part in ("train", "val", "test"):
        split = getattr(read, part)
        assert np.array_equal(split.x.numpy(), x[f"{part}_images"].transpose(0, 3, 1, 2))
        assert labels(split) == y[f"{part}_labels"][:, 0].tolist()
    assert read.class_names == ("0", "1", "2")
    assert read.notes == ()


def test_samples_keep_their_places_in_the_arrays(path):
    x = pixels(30, 4, 5)
    np.savez(path, imgs=x)
    read = read_npz(path)
    for split in (read.train, read.test):
        places = [int(key.removeprefix("imgs[").removesuffix("]")) for key in split.keys]
        assert np.array_equal(split.x[:, 0].numpy(), x[places])


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (("X_train", "Y_train", "X_test", "Y_test"), (9, None, 3)),
        (("train_x", "train_y", "test_x", "test_y"), (9, None, 3)),
        (("trainImages", "trainLabels", "testImages", "testLabels"), (9, None, 3)),
        (("x_train", "y_train", "x_val", "y_val", "x_test", "y_test"), (9, 4, 3)),
    ],
)
def test_names_of_arrays(path, names, splits):
    sizes = {"train": 9, "val": 4, "test": 3}
    part = {name: next(part for part in sizes if part in name.lower()) for name in names}
    arrays = {name: pixels(sizes[part[name]], 4, 5) for name in names if name[-6:] not in ("Labels",)}
    for name in names[1::2]:
        arrays[name] = np.arange(sizes[part[name]])[:, None]
    np.savez(path, **arrays)
    read = read_npz(path)
    assert tuple(None if split is None else len(split) for split in (read.train, read.val, read.test)) == splits
    assert np.array_equal(read.train.x[:, 0].numpy(), arrays[names[0]])
    assert labels(read.test) == [0, 1, 2]


def test_dsprites(path):
    """Its metadata are a pickled dictionary, which nothing opens."""
    images = RANDOM.integers(0, 2, (40, 8, 8), dtype=np.uint8)
    classes = np.stack([np.zeros(40, np.int64), np.arange(40) % 3, np.arange(40) % 5], axis=1)
    metadata = np.array({"title": "none"}, dtype=object)
    np.savez(path, metadata=metadata, imgs=images, latents_values=RANDOM.random((40, 3)), latents_classes=classes)
    read = read_npz(path, split_seed=1)
    assert (len(read.train), len(read.test)) == (36, 4)
    assert read.factors.sizes == (1, 3, 5)
    for split in (read.train, read.test):
        for image, factors in zip(split.x[:, 0].numpy(), split.factors.tolist(), strict=True):
            found = (images * 255 == image).all(axis=(1, 2)).nonzero()[0]
            assert factors in classes[found].tolist()
    assert set(read.train.x.unique().tolist()) == {0, 255}
    assert read.notes == (
        "imgs holds 0 and 1, taken for 0 and 255",
        "test is a tenth of imgs, held out",
        "left out: metadata, latents_values",
    )


@pytest.mark.parametrize("names", [("x", "y"), ("data", "target"), ("faces", "labels")])
def test_samples_in_one_piece(path, names):
    images = np.arange(20, dtype=np.uint8)[:, None, None] * np.ones((1, 3, 4), np.uint8)
    np.savez(path, **{names[0]: images, names[1]: np.arange(20) % 2})
    read = read_npz(path)
    assert (len(read.train), len(read.test)) == (18, 2)
    for split in (read.train, read.test):
        assert labels(split) == (split.x[:, 0, 0, 0].int() % 2).tolist()
    assert read.notes == (f"test is a tenth of {names[0]}, held out",)
    assert torch.equal(read.test.x, read_npz(path).test.x)
    assert not torch.equal(read.test.x, read_npz(path, split_seed=1).test.x)


@pytest.mark.parametrize("suffix", ["npz", "npy"])
def test_a_single_array(tmp_path, suffix):
    images = pixels(20, 6, 6, 3)
    path = tmp_path / f"own.{suffix}"
    (np.savez if suffix == "npz" else np.save)(path, images)
    read = read_npz(path)
    both = torch.cat([read.train.x, read.test.x]).numpy()
    assert sorted(image.tobytes() for image in both) == sorted(
        image.tobytes() for image in images.transpose(0, 3, 1, 2)
    )


@pytest.mark.parametrize(("largest", "dtype"), [(255, torch.uint8), (4095, torch.uint16)])
def test_integers_are_taken_for_what_they_hold(path, largest, dtype):
    train, test = RANDOM.integers(0, largest + 1, (9, 4, 5)), np.full((2, 4, 5), 7)
    train[0, 0, 0] = largest
    np.savez(path, x_train=train, x_test=test)
    read = read_npz(path)
    assert read.train.x.dtype == read.test.x.dtype == dtype
    assert np.array_equal(read.train.x[:, 0].numpy(), train)
    assert np.array_equal(read.test.x[:, 0].numpy(), test)


def test_truth_values_are_black_and_white(path):
    images = RANDOM.integers(0, 2, (9, 4, 5)).astype(bool)
    np.savez(path, x_train=images, x_test=images)
    read = read_npz(path)
    assert np.array_equal(read.test.x[:, 0].numpy(), images * 255)
    assert read.notes == ("x_train holds 0 and 1, taken for 0 and 255",)


@pytest.mark.parametrize("with_labels", [True, False])
def test_samples_along_the_last_axis(path, with_labels):
    """SVHN's."""
    images = pixels(6, 6, 3, 20)
    np.savez(path, X=images, **({"y": np.arange(1, 21)[:, None]} if with_labels else {}))
    read = read_npz(path)
    assert read.train.shape == (3, 6, 6)
    moved = {image.tobytes() for image in images.transpose(3, 2, 0, 1)}
    assert all(image.numpy().tobytes() in moved for image in read.train.x)
    for image, label in zip(read.test.x, labels(read.test) if with_labels else (), strict=False):
        assert np.array_equal(image, images[..., label].transpose(2, 0, 1))


@pytest.mark.parametrize("words", [["dog", "cat", "dog", ""], [b"dog", b"cat", b"dog", b""]])
def test_labels_are_words(path, words):
    np.savez(path, x_train=pixels(4, 3, 3), x_test=pixels(4, 3, 3), y_train=words, y_test=words)
    read = read_npz(path)
    assert read.class_names == ("cat", "dog")
    assert labels(read.train) == [1, 0, 1, -1]


@pytest.mark.parametrize("dtype", [bool, np.int64, np.float32])
def test_a_column_for_each_class(path, dtype):
    rows = np.eye(4)[[2, 0, 3, 2]].astype(dtype)
    np.savez(path, x_train=pixels(4, 3, 3), x_test=pixels(2, 3, 3), y_train=rows, y_test=rows[:2])
    read = read_npz(path)
    assert read.class_names == ("0", "1", "2", "3")
    assert labels(read.train) == [2, 0, 3, 2]
    assert labels(read.test) == [2, 0]


def test_rows_of_several_labels_leave_all_unlabelled(path):
    rows = np.eye(4, dtype=int)
    rows[0] = [0, 1, 1, 0]
    np.savez(path, train_images=pixels(4, 3, 3), train_labels=rows)
    read = read_npz(path)
    assert (read.class_names, read.train.labels) == (None, None)
    assert read.notes[-1] == "no labels, as rows of train_labels have none of its classes or several"


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("a", "b"), r"which array has the samples cannot be told; call them x, or x_train and x_test \(there: a"),
        (("images", "data"), r"images and data may both be x_train; call the one that is so"),
    ],
)
def test_what_may_be_two_things_is_refused(path, names, said):
    np.savez(path, **{name: pixels(4, 3, 3) for name in names})
    with pytest.raises(DataError, match=said):
        read_npz(path)


def test_what_is_called_as_it_should_be_comes_before_what_is_not(path):
    x, other = pixels(4, 3, 3), pixels(4, 3, 3)
    np.savez(path, train_images=other, x_train=x, x_test=x, images=other)
    read = read_npz(path)
    assert np.array_equal(read.train.x[:, 0].numpy(), x)
    assert read.notes == ("left out: train_images, images",)


def test_an_array_that_nothing_is_read_of_may_be_anything(path):
    np.savez(path, x=pixels(4, 3, 3))
    with zipfile.ZipFile(path, "a") as archive, archive.open("notes.npy", "w") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": (10**9, 10**6)}
        np.lib.format.write_array_header_1_0(file, header)
    assert read_npz(path).notes[-1] == "left out: notes"
