import gzip
import hashlib
import pickle
import re
import socket
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.datasets import CIFAR10

from ae_lightning.data import torchvision_sets
from ae_lightning.data.torchvision_sets import TORCHVISION_SETS, read_torchvision_set
from ae_lightning.errors import DataError

FOLDERS = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST", "kmnist": "KMNIST"}
PARTS = {"train": 20, "t10k": 10}


@pytest.fixture(autouse=True)
def _no_packages(monkeypatch, no_network):
    """Let there be neither a network nor Debian's packages."""
    monkeypatch.setattr(torchvision_sets, "DEBIANS_DATA_SETS", Path("none"))


def idx(array):
    return struct.pack(f">{1 + array.ndim}I", 8 << 8 | array.ndim, *array.shape) + array.tobytes()


def write_idx_set(root: Path, name: str) -> Path:
    folder = root / FOLDERS[name] / "raw"
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    for part, num in PARTS.items():
        images = random.integers(0, 256, (num, 28, 28), dtype=np.uint8)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(idx(images))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx(np.arange(num, dtype=np.uint8) % 10))
    return folder


@pytest.mark.parametrize("name", FOLDERS)
def test_files_that_are_there_need_no_network(tmp_path, name):
    folder = write_idx_set(tmp_path, name)
    images = read_torchvision_set(name, tmp_path)
    assert images.train.x.shape == (20, 1, 28, 28)
    assert images.test.labels.tolist() == list(range(10))
    assert len(images.class_names) == 10
    stored = (folder / "train-images-idx3-ubyte").read_bytes()[16:]
    assert images.train.x.numpy().tobytes() == stored
    assert not list(tmp_path.glob(".*")), "reading leaves nothing behind, so a read-only root will do"


@pytest.mark.parametrize("place", ["FashionMNIST/raw", "FashionMNIST", "fashion-mnist", ".", "debian/fashion-mnist"])
def test_packed_files_are_read_where_they_lie(tmp_path, monkeypatch, place):
    folder = pack(write_idx_set(tmp_path / "written", "fashion_mnist"), tmp_path / place)
    monkeypatch.setattr(torchvision_sets, "DEBIANS_DATA_SETS", tmp_path / "debian")
    before = sorted(tmp_path.rglob("*"))
    images = read_torchvision_set("fashion_mnist", tmp_path)
    expected = read_torchvision_set("fashion_mnist", tmp_path / "written")
    assert torch.equal(images.train.x, expected.train.x)
    assert images.test.labels.tolist() == list(range(10))
    assert images.notes == (() if place == "FashionMNIST/raw" else (f"read from {folder}",))
    assert sorted(tmp_path.rglob("*")) == before


def pack(folder, target):
    target.mkdir(parents=True, exist_ok=True)
    for file in folder.iterdir():
        (target / f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes(), mtime=0))
    return target


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        (lambda content: content[:-5], "truncated"),
        (lambda content: content[:-8] + b"\0\0\0\0" + content[-4:], "corrupt"),
        (lambda content: b"no archive", "corrupt"),
        (lambda content: gzip.compress(gzip.decompress(content)[:-1]), "truncated"),
        (lambda content: gzip.compress(gzip.decompress(content) + b"more"), "corrupt"),
        (lambda content: gzip.compress(struct.pack(">4I", 0x803, 1 << 31, 28, 28)), "truncated"),
        (lambda content: gzip.compress(b"\0"), "truncated"),
    ],
)
def test_a_damaged_packed_file_is_named(tmp_path, damage, word):
    folder = pack(write_idx_set(tmp_path / "written", "mnist"), tmp_path)
    path = folder / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=rf"{re.escape(str(path))} is {word}"):
        read_torchvision_set("mnist", tmp_path)


@pytest.mark.parametrize("root", [".", "new/folder"])
def test_a_failed_download_leaves_nothing_behind(tmp_path, root):
    with pytest.raises(DataError, match="the download failed"):
        read_torchvision_set("mnist", tmp_path / root)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", TORCHVISION_SETS)
def test_a_failed_download_says_where_to_put_which_files(tmp_path, name):
    with pytest.raises(DataError) as caught:
        read_torchvision_set(name, tmp_path)
    message = str(caught.value)
    assert "\n" not in message
    assert "--data.name digits" in message
    files = {"cifar10": "data_batch_1"}.get(name, "t10k-labels-idx1-ubyte")
    folder = tmp_path / "cifar-10-batches-py" if name == "cifar10" else tmp_path / FOLDERS[name] / "raw"
    assert files in message
    assert f"into {folder}" in message


def test_only_the_missing_files_are_asked_for(tmp_path):
    folder = write_idx_set(tmp_path, "mnist")
    (folder / "t10k-images-idx3-ubyte").unlink()
    with pytest.raises(DataError, match=r"put t10k-images-idx3-ubyte into"):
        read_torchvision_set("mnist", tmp_path)


def test_a_root_that_cannot_be_written_is_a_data_error(tmp_path):
    (tmp_path / "root").write_text("a file where the folder should be")
    with pytest.raises(DataError, match="the download failed"):
        read_torchvision_set("mnist", tmp_path / "root")


def test_the_socket_timeout_is_given_back(tmp_path):
    before = socket.getdefaulttimeout()
    with pytest.raises(DataError):
        read_torchvision_set("mnist", tmp_path)
    assert socket.getdefaulttimeout() == before


def damage_truncate(content):
    return content[:-5]


def damage_empty(content):
    return b""


def damage_append(content):
    return content + b"more"


def damage_header(content):
    return bytes(4) + content[4:]


@pytest.mark.parametrize("file", ["train-images-idx3-ubyte", "t10k-images-idx3-ubyte", "train-labels-idx1-ubyte"])
@pytest.mark.parametrize(
    ("damage", "word"),
    [
        (damage_truncate, "truncated"),
        (damage_empty, "truncated"),
        (damage_append, "corrupt"),
        (damage_header, "corrupt"),
    ],
)
def test_a_damaged_idx_file_is_named(tmp_path, file, damage, word):
    path = write_idx_set(tmp_path, "mnist") / file
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=rf"{re.escape(str(path))} is {word}"):
        read_torchvision_set("mnist", tmp_path)


def test_labels_that_do_not_fit_the_images_are_refused(tmp_path):
    folder = write_idx_set(tmp_path, "mnist")
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(np.zeros(19, np.uint8)))
    with pytest.raises(DataError, match="train-labels-idx1-ubyte: 19 labels for 20 images"):
        read_torchvision_set("mnist", tmp_path)


@pytest.fixture
def cifar10(tmp_path, monkeypatch):
    """A CIFAR-10 of six small files, with checksums of their own."""
    folder = tmp_path / CIFAR10.base_folder
    folder.mkdir()
    names = [name for name, _ in [*CIFAR10.train_list, *CIFAR10.test_list]]
    random = np.random.default_rng(0)
    contents = {
        name: {"data": random.integers(0, 256, (4, 3072), dtype=np.uint8), "labels": [0, 1, 2, 9]} for name in names
    }
    contents["batches.meta"] = {"label_names": [f"class {number}" for number in range(10)]}
    for name, content in contents.items():
        (folder / name).write_bytes(pickle.dumps(content))
    sums = {name: hashlib.md5((folder / name).read_bytes()).hexdigest() for name in contents}
    monkeypatch.setattr(CIFAR10, "train_list", [[name, sums[name]] for name in names[:-1]])
    monkeypatch.setattr(CIFAR10, "test_list", [[names[-1], sums[names[-1]]]])
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": sums["batches.meta"]})
    return folder, contents


def test_cifar10_is_read_from_its_files(cifar10):
    folder, contents = cifar10
    images = read_torchvision_set("cifar10", folder.parent)
    assert (len(images.train), len(images.test)) == (20, 4)
    expected = contents["test_batch"]["data"].reshape(4, 3, 32, 32)
    assert np.array_equal(images.test.x.numpy(), expected)
    assert images.test.labels.tolist() == [0, 1, 2, 9]
    assert images.class_names[9] == "class 9"


def test_a_damaged_cifar10_file_is_named(cifar10):
    folder, _ = cifar10
    path = folder / "data_batch_3"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=rf"{re.escape(str(path))} is corrupt"):
        read_torchvision_set("cifar10", folder.parent)


def test_the_real_mnist(real_data):
    images = read_torchvision_set("mnist", real_data)
    assert images.train.x.shape == (60_000, 1, 28, 28)
    assert images.test.x.shape == (10_000, 1, 28, 28)
    assert images.train.labels[:5].tolist() == [5, 0, 4, 1, 9]
