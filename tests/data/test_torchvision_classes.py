import hashlib
import inspect
import re
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat
from torchvision import datasets

from ae_lightning.data.datamodule import DataModule
from ae_lightning.data.source import load_data
from ae_lightning.data.source_settings import SourceSettings
from ae_lightning.data.torchvision_classes import _PATHS
from ae_lightning.data.torchvision_table import CLASSES
from ae_lightning.errors import ConfigError, DataError

DOCS = Path(__file__).parents[2] / "docs" / "data.md"


pytestmark = pytest.mark.usefixtures("no_network")


def load(dataset, root, options=None, **settings):
    given = SourceSettings(dataset=dataset, dataset_options=options, **settings)
    return load_data("torchvision", given, root=root)


def picture(path, size, level):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (level, level, level)).save(path)


def levels(split):
    """The grey level of each image, where each has one alone."""
    assert (split.x == split.x[:, :, :1, :1]).all()
    return split.x[:, 0, 0, 0].tolist()


def test_images_that_come_one_by_one(tmp_path):
    options = {"size": 20, "image_size": [3, 8, 6], "num_classes": 4}
    data = load("FakeData", tmp_path, options)
    theirs = datasets.FakeData(**options)
    assert (len(data.train), len(data.test)) == (18, 2)
    assert data.notes == ("test is a tenth of train, held out",)
    for split in (data.train, data.test):
        for x, label, key in zip(split.x, split.labels, split.keys, strict=True):
            image, number = theirs[int(re.fullmatch(r"FakeData\[(\d+)\]", key)[1])]
            assert np.array_equal(x.numpy(), np.asarray(image).transpose(2, 0, 1))
            assert data.class_names[label] == str(number)


@pytest.fixture
def svhn(tmp_path, monkeypatch):
    """A train split of 12 house numbers and a test split of 5, as published; with checksums of their own."""
    random = np.random.default_rng(0)
    published = {}
    for split, num in (("train", 12), ("test", 5)):
        images = random.integers(0, 256, (32, 32, 3, num), dtype=np.uint8)
        digits = (np.arange(num) % 10 + 1).astype(np.uint8)[:, None]
        file = tmp_path / f"{split}_32x32.mat"
        savemat(file, {"X": images, "y": digits})
        checksum = hashlib.md5(file.read_bytes()).hexdigest()
        monkeypatch.setitem(datasets.SVHN.split_list, split, ["", file.name, checksum])
        published[split] = images, digits
    return tmp_path, published


def test_an_array_of_images(svhn):
    root, published = svhn
    before = sorted(root.iterdir())
    data = load("SVHN", root)
    images, digits = published["train"]
    assert np.array_equal(data.train.x.numpy(), images.transpose(3, 2, 0, 1))
    assert [data.class_names[label] for label in data.train.labels] == [str(one % 10) for one in digits[:, 0]]
    assert (len(data.test), data.val, data.notes) == (5, None, ())
    assert sorted(root.iterdir()) == before, "a read-only root will do"


def test_a_data_module_is_called_after_the_set(svhn):
    root, _ = svhn
    data = DataModule("torchvision", root=str(root), dataset="SVHN", num_val=2)
    assert data.dataset_name == "SVHN"
    assert {name: data.num_samples(name) for name in data.split_names} == {"train": 10, "val": 2, "test": 5}


def idx(array, kind):
    return struct.pack(f">{1 + array.ndim}I", kind << 8 | array.ndim, *array.shape) + array.tobytes()


def write_idx(folder, name, images, labels, labels_name, labels_kind=8):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}-images-idx3-ubyte").write_bytes(idx(images, 8))
    (folder / labels_name).write_bytes(idx(labels, labels_kind))


def test_images_that_are_stored_by_columns_are_turned_upright(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (4, 28, 28), dtype=np.uint8)
    for part in ("train", "test"):
        labels = np.array([1, 3, 26, 3], np.uint8)
        write_idx(
            tmp_path / "EMNIST/raw",
            f"emnist-letters-{part}",
            images,
            labels,
            f"emnist-letters-{part}-labels-idx1-ubyte",
        )
    data = load("EMNIST", tmp_path, {"split": "letters"})
    assert np.array_equal(data.train.x[:, 0].numpy(), images.transpose(0, 2, 1))
    assert data.class_names == ("a", "c", "z"), "what torchvision calls N/A is no class"
    assert data.test.labels.tolist() == [0, 1, 2, 1]
    assert data.notes == ("turned upright, as EMNIST stores images column by column",)
    assert DataModule("torchvision", dataset="EMNIST", dataset_options={"split": "letters"}).dataset_name == (
        "EMNIST-letters"
    )


def test_the_digit_is_the_label_where_there_are_more(tmp_path):
    images = np.zeros((3, 28, 28), np.uint8)
    labels = np.zeros((3, 8), ">i4")
    labels[:, 0], labels[:, 1] = [7, 0, 7], 99
    for part in ("train", "test"):
        write_idx(tmp_path / "QMNIST/raw", f"qmnist-{part}", images, labels, f"qmnist-{part}-labels-idx2-int", 12)
    data = load("QMNIST", tmp_path)
    assert data.class_names == ("0 - zero", "7 - seven")
    assert data.train.labels.tolist() == [1, 0, 1]


def test_a_split_may_have_no_labels(tmp_path, monkeypatch):
    (tmp_path / "fer2013").mkdir()
    published = dict(datasets.FER2013._RESOURCES)
    for name, rows in (("train", ["3,{}", "1,{}", "3,{}"]), ("test", ["{}", "{}"])):
        lines = [row.format(" ".join([str(number)] * 48 * 48)) for number, row in enumerate(rows)]
        file = tmp_path / f"fer2013/{name}.csv"
        file.write_text("\n".join([("emotion," if name == "train" else "") + "pixels", *lines, ""]))
        published[name] = file.name, hashlib.md5(file.read_bytes()).hexdigest()
    monkeypatch.setattr(datasets.FER2013, "_RESOURCES", published)
    data = load("FER2013", tmp_path)
    assert data.train.shape == (1, 48, 48)
    assert (levels(data.train), levels(data.test)) == ([0, 1, 2], [0, 1])
    assert (data.class_names, data.train.labels.tolist(), data.test.labels.tolist()) == (
        ("1", "3"),
        [1, 0, 1],
        [-1, -1],
    )


def test_files_of_any_size_are_sized_as_those_of_a_folder(tmp_path):
    for number, size in enumerate([(20, 20), (40, 20), (20, 20)]):
        picture(tmp_path / f"country211/train/AT/{number}.png", size, 10 + number)
    picture(tmp_path / "country211/train/BE/0.png", (20, 20), 20)
    picture(tmp_path / "country211/valid/BE/0.png", (30, 30), 30)
    picture(tmp_path / "country211/valid/AT/0.png", (30, 30), 31)
    for number in range(2):
        picture(tmp_path / f"country211/test/{'AB'[number]}{'TE'[number]}/0.png", (20, 20), 40 + number)
    data = load("Country211", tmp_path)
    assert data.train.shape == (3, 20, 20)
    assert [levels(split) for split in (data.train, data.val, data.test)] == [[10, 11, 12, 20], [31, 30], [40, 41]]
    assert data.class_names == ("AT", "BE")
    assert data.val.labels.tolist() == [0, 1]
    assert list(data.train.keys)[1] == "country211/train/AT/1.png"
    (note,) = data.notes
    assert note.startswith("resized to 20 × 20 by crop, as 1 of 8 have an aspect ratio")
    assert data.settled == {"resize": "crop"}
    assert load("Country211", tmp_path, image_size=6, resize="pad").train.shape[1:] == (6, 6)


def write_gtsrb(root):
    for label in (0, 1):
        picture(root / f"gtsrb/GTSRB/Training/0000{label}/a.ppm", (8, 8), 10 + label)
        picture(root / f"gtsrb/GTSRB/Final_Test/Images/{label}.ppm", (8, 8), 20 + label)
    rows = "Filename;ClassId\n0.ppm;1\n1.ppm;0\n"
    (root / "gtsrb/GT-final_test.csv").write_text(rows)


def write_pets(root):
    folder = root / "oxford-iiit-pet"
    for number, name in enumerate(["Abyssinian_1", "beagle_1", "beagle_2", "Abyssinian_2"]):
        picture(folder / f"images/{name}.jpg", (8, 8), 10 * number + 10)
    (folder / "annotations").mkdir()
    (folder / "annotations/trainval.txt").write_text("Abyssinian_1 1 1 1\nbeagle_1 2 2 1\n")
    (folder / "annotations/test.txt").write_text("beagle_2 2 2 1\nAbyssinian_2 1 1 1\n")


def write_caltech101(root):
    folder = root / "caltech101/101_ObjectCategories"
    picture(folder / "BACKGROUND_Google/image_0001.jpg", (8, 8), 99)
    for name in ("ant", "bass"):
        for number in (1, 2):
            picture(folder / name / f"image_000{number}.jpg", (8, 8), 10 * number)
    (root / "caltech101/Annotations").mkdir()


def write_caltech256(root):
    for label, name in enumerate(["001.ak47", "002.american-flag"]):
        for number in (1, 2):
            picture(root / f"caltech256/256_ObjectCategories/{name}/00{label + 1}_000{number}.jpg", (8, 8), 10 * number)


@pytest.mark.parametrize(
    ("dataset", "write", "class_names", "test_key"),
    [
        ("GTSRB", write_gtsrb, ("0", "1"), "gtsrb/GTSRB/Final_Test/Images/0.ppm"),
        ("OxfordIIITPet", write_pets, ("Abyssinian", "Beagle"), "oxford-iiit-pet/images/Abyssinian_2.jpg"),
        ("Caltech101", write_caltech101, ("ant", "bass"), None),
        ("Caltech256", write_caltech256, ("001.ak47", "002.american-flag"), None),
    ],
)
def test_sets_whose_decoder_is_their_own(tmp_path, dataset, write, class_names, test_key):
    """Their paths are asked for by names that torchvision does not promise."""
    write(tmp_path)
    data = load(dataset, tmp_path)
    assert data.class_names == class_names
    assert sorted(torch.cat([data.train.labels, data.test.labels]).tolist()) == [0, 0, 1, 1]
    if test_key is not None:
        assert data.test.keys[0] == test_key
        assert [data.class_names[label] for label in data.test.labels] == (
            ["1", "0"] if dataset == "GTSRB" else ["Abyssinian", "Beagle"]
        )


@pytest.mark.parametrize("dataset", CLASSES)
def test_torchvision_takes_what_the_table_says(dataset):
    about, cls = CLASSES[dataset], getattr(datasets, dataset)
    bases = [base for base in cls.__mro__ if "__init__" in vars(base)]
    known = {name for base in bases for name in inspect.signature(base.__init__).parameters}
    assert {*about.options} | {name for arguments in about.splits.values() for name in arguments} <= known
    assert ("loader" in known) == (about.kind == "files" and dataset not in _PATHS)
    assert ("root" in known) >= about.has_root
    assert ("download" in known) or not about.downloads or not about.has_root


def test_the_documentation_lists_what_can_be_read():
    section = DOCS.read_text().split("## torchvision's sets")[1].split("\n## ")[0]
    assert {*re.findall(r"`(\w+)`", section)} >= {*CLASSES}
    assert not {*re.findall(r"`(\w+)`", section)} & {*datasets.__all__} - {*CLASSES}


@pytest.mark.parametrize(
    ("dataset", "options", "settings", "message"),
    [
        (None, None, {}, r"data.dataset must say which of torchvision's sets; Allowed: CIFAR10, "),
        ("svhn", None, {}, r"data.dataset: 'svhn' is not known; did you mean 'SVHN'\? Allowed: CIFAR10, "),
        ("Flowers", None, {}, r"did you mean 'Flowers102'\?"),
        ("VOCDetection", None, {}, r"data.dataset: VOCDetection is no set of images with a class each; Allowed: "),
        ("SVHN", {"split": "extra"}, {}, r"data.dataset_options: split is set already; SVHN takes none"),
        ("DTD", {"root": "/x"}, {}, r"data.dataset_options: root is set already; DTD takes partition"),
        ("DTD", {"fold": 2}, {}, r"data.dataset_options: 'fold' is not known; DTD takes partition"),
        ("EMNIST", None, {}, r"data.dataset_options: EMNIST needs split, such as \{split: letters\}"),
        ("EMNIST", {"split": "leters"}, {}, r"data.dataset_options: Unknown value 'leters' for argument split"),
        ("SVHN", None, {"image_size": 8}, r"data.image_size: the images of SVHN are no files, and have one size"),
        ("SVHN", None, {"on_error": "skip"}, r"data.on_error: the images of SVHN are no files"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(tmp_path, dataset, options, settings, message):
    with pytest.raises(ConfigError, match=message) as caught:
        load(dataset, tmp_path, options, **settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dataset", ["SVHN", "Caltech101", "Flowers102", "Places365"])
@pytest.mark.parametrize("root", [".", "new/folder"])
def test_a_failed_download_says_what_would_help_and_leaves_nothing_behind(tmp_path, dataset, root):
    with pytest.raises(DataError) as caught:
        load(dataset, tmp_path / root)
    message = str(caught.value)
    assert message.startswith(f"data.dataset {dataset}: the download failed (")
    assert message.endswith(
        f"put its files below {tmp_path / root}, where torchvision.datasets.{dataset} looks for them"
    )
    assert "\n" not in message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("dataset", ["FER2013", "ImageNet", "LFWPeople", "StanfordCars"])
def test_what_cannot_be_downloaded_says_so(tmp_path, dataset):
    with pytest.raises(DataError, match=rf"^data.dataset {dataset}: .*\(data.root {tmp_path}\)$"):
        load(dataset, tmp_path)
    assert list(tmp_path.iterdir()) == []
