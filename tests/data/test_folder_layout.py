"""What folders of images are taken for: files of no content, since their names and places alone are looked at."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from ae_lightning.data.image_folder.faults import Faults
from ae_lightning.data.image_folder.layout import read_layout
from ae_lightning.data.image_folder.settings import FolderReading
from ae_lightning.data.split_names import part_of, parts_of
from ae_lightning.errors import DataError


def plant(root, **numbers):
    """Make so many images in each folder, whose name has a dash for a slash."""
    for name, num in numbers.items():
        folder = root.joinpath(*name.split("__"))
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(num):
            (folder / f"{number:03}.jpg").touch()


def understand(path, splits=None, labels=None):
    return read_layout(path, FolderReading(splits=splits, labels=labels), Faults("raise"))


def counts(layout):
    """How many images of each split there are in each class."""
    return dict(Counter((image.split, image.class_name) for image in layout.images))


@pytest.mark.parametrize(
    ("name", "part"),
    [
        *(
            ("train", "train"),
            ("TRAINING", "train"),
            ("trn", "train"),
            ("seg_train", "train"),
            ("train_images", "train"),
        ),
        *(("train2017", "train"), ("Training_Set", "train"), ("trainset", "train"), ("TrainImages", "train")),
        *(("val", "val"), ("Valid", "val"), ("validation", "val"), ("dev", "val"), ("cats-val", "val")),
        *(("test", "test"), ("testing", "test"), ("tst", "test"), ("eval", "test"), ("DIV2K_test_HR", "test")),
        *(("seg_pred", "other"), ("train_extra", "other"), ("unlabeled", "other"), ("ground_truth", "other")),
        *(("cat", None), ("trainer", None), ("contest", None), ("train_val", None), ("latest", None), ("valley", None)),
    ],
)
def test_a_folder_is_called_after_a_split(name, part):
    found = part_of(name)
    assert (None if found is None else found.part) == part


@pytest.mark.parametrize(
    "names",
    [("bus", "car", "train"), ("train",), ("test1", "test2"), ("train", "extra"), ("bullet train", "crash test")],
)
def test_folders_that_are_no_splits(names):
    assert parts_of(names) is None


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [
        ("train", "val", "test"),
        ("Training", "Validation", "Testing"),
        ("seg_train", "seg_valid", "seg_test"),
        ("train2017", "val2017", "test2017"),
    ],
)
def test_splits_are_recognised_however_they_are_spelt(tmp_path, train, val, test):
    plant(tmp_path, **{f"{train}__a": 3, f"{train}__b": 2, f"{val}__a": 1, f"{val}__b": 1, f"{test}__b": 4})
    found = understand(tmp_path)
    assert counts(found) == {
        ("train", "a"): 3,
        ("train", "b"): 2,
        ("val", "a"): 1,
        ("val", "b"): 1,
        ("test", "b"): 4,
    }
    assert found.class_names == ("a", "b")
    assert found.notes == (f"splits: {train} (train), {val} (val), {test} (test)", "a in train, and not in test")


@pytest.mark.parametrize("beside", ["Meta", "ground_truth__scratch", "train_masks"])
def test_what_is_published_beside_splits_is_left_out(tmp_path, beside):
    """GTSRB's, MVTec's and Carvana's."""
    plant(tmp_path, **{"train__good": 3, "test__good": 1, "test__scratch": 2, beside: 5})
    found = understand(tmp_path)
    assert len(found.images) == 6
    assert found.notes[-1] == f"left out: 5 images of {beside.partition('__')[0]}"


@pytest.mark.parametrize(
    ("folders", "num", "class_names"),
    [
        # Tiny ImageNet
        (("train__n01__images", "train__n02__images", "val__images", "test__images"), 12, ("n01", "n02")),
        # Kaggle's cats and dogs
        (("train__cat", "train__dog", "test1"), 9, ("cat", "dog")),
        # CelebA
        (("img_align_celeba__img_align_celeba",), 3, None),
        # as detectors have them
        (("images__train2017", "images__val2017"), 6, None),
        (("train__images", "valid__images", "test__images"), 9, None),
    ],
)
def test_trees_as_they_are_published(tmp_path, folders, num, class_names):
    plant(tmp_path / "set", **dict.fromkeys(folders, 3))
    (tmp_path / "set" / "labels.txt").touch()
    found = understand(tmp_path)
    assert (len(found.images), found.class_names) == (num, class_names)
    assert {image.split for image in found.images} != {None} or len(folders) == 1


def test_a_split_within_a_folder_of_its_name_and_what_is_beside_splits(tmp_path):
    """Intel's image classification, as it is unpacked."""
    plant(tmp_path, seg_train__seg_train__sea=3, seg_train__seg_train__street=3, seg_pred__seg_pred=7)
    plant(tmp_path, seg_test__seg_test__sea=1, seg_test__seg_test__street=1)
    found = understand(tmp_path)
    assert found.class_names == ("sea", "street")
    assert len(found.images) == 8
    assert found.notes == (
        "splits: seg_train/seg_train (train), seg_test/seg_test (test)",
        "left out: 7 images of seg_pred",
    )


@pytest.mark.parametrize("above", ["archive", "archive__images"])
def test_a_tree_unpacked_too_high_is_gone_down(tmp_path, above):
    plant(
        tmp_path, **{f"{above}__train__a": 3, f"{above}__train__b": 2, f"{above}__test__a": 1, f"{above}__test__b": 1}
    )
    assert {image.split for image in understand(tmp_path).images} == {"train", "test"}
    plant(tmp_path / "other", **{f"{above}__cat": 3, f"{above}__dog": 2})
    found = understand(tmp_path / "other")
    assert counts(found) == {(None, "cat"): 3, (None, "dog"): 2}
    assert found.notes[0] == f"classes are the folders of {above.replace('__', '/')}"


def test_what_is_no_split_beside_what_might_be_makes_classes_of_all(tmp_path):
    plant(tmp_path, bus=3, car=2, train=4)
    found = understand(tmp_path)
    assert found.class_names == ("bus", "car", "train")
    assert found.notes[0].startswith("train, bus, car are classes, as not all folders are called after splits")
    assert "data.splits" in found.notes[0]


def test_test_is_held_out_where_there_is_none(tmp_path):
    plant(tmp_path, train__a=3, train__b=2, val__a=1, val__b=1)
    assert understand(tmp_path).notes == ("splits: train (train), val (val)", "test is a tenth of train, held out")
    plant(tmp_path / "train" / "c")
    assert understand(tmp_path / "train").notes == ("test is a tenth of the images, held out",)


def test_one_class_alone_in_a_split_stays_a_class(tmp_path):
    plant(tmp_path, train__good=5, test__good=2, test__scratch=2)
    found = understand(tmp_path)
    assert counts(found) == {("train", "good"): 5, ("test", "good"): 2, ("test", "scratch"): 2}
    assert "scratch in test, and not in train" in found.notes


def test_a_preview_is_left_out(tmp_path):
    plant(tmp_path, train__a=30, train__b=20, test__a=10, test__b=10)
    (tmp_path / "preview.png").touch()
    (tmp_path / "train" / "sample.png").touch()
    found = understand(tmp_path)
    assert len(found.images) == 70
    assert found.class_names == ("a", "b")
    assert found.notes[-1] == "left out: preview.png, train/sample.png"
    for name in ("train", "test"):
        (tmp_path / name).rename(tmp_path / f"class {name[1:]}")
    assert understand(tmp_path).class_names == ("class est", "class rain")


def test_a_flat_test_split_has_no_labels(tmp_path):
    plant(tmp_path, train__a=3, train__b=2, test=4)
    found = understand(tmp_path)
    assert counts(found) == {("train", "a"): 3, ("train", "b"): 2, ("test", None): 4}
    assert found.class_names == ("a", "b")
    assert "test has no labels, as it has no folders" in found.notes


@pytest.mark.parametrize(
    ("num_loose", "labels", "class_names", "said"),
    [
        (8, None, ("a", "b"), "without a label: 8 images beside the folders a, b"),
        (30, None, None, "no labels, as there are 30 images beside the folders a, b (data.labels: folders"),
        (30, "folders", ("a", "b"), "without a label: 30 images beside the folders a, b"),
        (1, "folders", ("a", "b"), "without a label: 1 image beside the folders a, b"),
        (1, "none", None, "test is a tenth of the images, held out"),
    ],
)
def test_images_beside_folders_are_not_lost(tmp_path, num_loose, labels, class_names, said):
    plant(tmp_path, a=10, b=10)
    plant(tmp_path / "x")
    for number in range(num_loose):
        (tmp_path / f"loose{number}.png").touch()
    found = understand(tmp_path, labels=labels)
    assert len(found.images) == 20 + num_loose
    assert found.class_names == class_names
    assert found.notes[0].startswith(said)


def test_a_single_folder_is_a_class_only_where_that_is_said(tmp_path):
    plant(tmp_path, all=5)
    assert understand(tmp_path).class_names is None
    assert understand(tmp_path, labels="folders").class_names == ("all",)
    with pytest.raises(DataError, match=r"data\.labels: folders: no image lies in a folder"):
        understand(tmp_path / "all", labels="folders")


def test_splits_are_named_by_hand(tmp_path):
    plant(tmp_path, trainA=3, trainB=2, testA=4)
    with pytest.raises(DataError, match=r"has trainA and trainB for train; data\.splits: \{train: DIR"):
        understand(tmp_path)
    plant(tmp_path, more__good__x=2, more__good__y=2)
    found = understand(tmp_path, {"train": "trainA", "test": "testA"})
    assert counts(found) == {("train", None): 3, ("test", None): 4}
    found = understand(tmp_path, {"train": "more/good", "val": "trainB"})
    assert counts(found) == {("train", "x"): 2, ("train", "y"): 2, ("val", None): 2}
    with pytest.raises(DataError, match=r"data\.splits: val: there is no folder .*/none"):
        understand(tmp_path, {"train": "trainA", "val": "none"})
    with pytest.raises(DataError, match=r"data\.splits: val lies in train"):
        understand(tmp_path, {"train": "more", "val": "more/good"})


def test_splits_without_one_to_train_on_are_refused(tmp_path):
    plant(tmp_path, val__a=3, test__a=3)
    with pytest.raises(DataError, match=r"has test and val, but nothing to train on; data\.splits"):
        understand(tmp_path)


@pytest.mark.parametrize("ending", ["", "_mask"])
def test_masks_are_no_class(tmp_path, ending):
    plant(tmp_path, pets__images=4, pets__masks=0)
    for number in range(4):
        (tmp_path / "pets" / "masks" / f"{number:03}{ending}.png").touch()
    images = re.escape(str(tmp_path / "pets" / "images"))
    with pytest.raises(
        DataError, match=rf"masks of the images in {images}.* to read those alone: data\.path: {images}"
    ):
        understand(tmp_path)
    (tmp_path / "val").mkdir()
    (tmp_path / "pets").rename(tmp_path / "train")
    plant(tmp_path, val__images=2)
    with pytest.raises(DataError, match=r"alone: data\.splits: \{train: train/images, val: val\}"):
        understand(tmp_path)


def test_classes_that_speak_of_masks_are_classes(tmp_path):
    plant(tmp_path, with_mask=4, without_mask=4)
    found = understand(tmp_path)
    assert found.class_names == ("with_mask", "without_mask")
    assert found.notes == ("test is a tenth of the images, held out",)


def test_classes_may_have_files_of_the_same_names(tmp_path):
    plant(tmp_path, cat=4, dog=4)
    assert understand(tmp_path).class_names == ("cat", "dog")


def test_what_is_passed_over_is_counted_by_suffix(tmp_path):
    plant(tmp_path, a=3, b=3)
    for name in ("labels.csv", "a/x.txt", "b/y.TXT", ".hidden", "README", "._001.jpg"):
        (tmp_path / name).touch()
    assert understand(tmp_path).notes[-1] == "left out: 2 .txt, 1 without a suffix, 1 .csv"
