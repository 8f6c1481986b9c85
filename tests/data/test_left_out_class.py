"""A class that is absent from training and present in test."""

import numpy as np
import pytest

from ae_lightning.data import DataModule
from ae_lightning.data.holding_out import find_class
from ae_lightning.errors import ConfigError


def classes(data, name):
    return set(data.split(name).labels.tolist())


@pytest.mark.parametrize("wanted", [3, "3"])
def test_the_class_is_absent_from_train_and_val_and_present_in_test(wanted):
    data = DataModule(leave_out_class=wanted)
    assert classes(data, "train") == classes(data, "val") == set(range(10)) - {3}
    assert classes(data, "test") == set(range(10))
    assert data.novel_class == 3
    assert len(data.class_names) == 10


def test_all_other_images_stay():
    whole, part = DataModule(), DataModule(leave_out_class=3)
    counts = [sum(int((data.split(name).labels != 3).sum()) for name in ("train", "val")) for data in (whole, part)]
    assert counts[0] == counts[1] == len(part.split("train")) + len(part.split("val"))
    assert len(whole.split("test")) == len(part.split("test"))
    assert whole.novel_class is None


def test_num_val_is_kept():
    assert len(DataModule(leave_out_class=3, num_val=77).split("val")) == 77


def test_a_name_comes_before_a_number(tmp_path):
    from PIL import Image

    for name in ("1", "0"):
        (tmp_path / name).mkdir()
        for number in range(6):
            Image.new("L", (4, 4), number).save(tmp_path / name / f"{number}.png")
    assert DataModule("folder", path=str(tmp_path), leave_out_class=0, num_val=1).novel_class == 0
    (tmp_path / "1").rename(tmp_path / "2")
    assert DataModule("folder", path=str(tmp_path), leave_out_class=2, num_val=1).novel_class == 1


def test_a_number_that_may_be_a_name_with_zeros_before_it_is_asked_about():
    names = tuple(f"{number:03}" for number in range(1, 11))
    assert find_class("003", names, "folder") == 2
    with pytest.raises(ConfigError, match=r"^data\.leave_out_class: 3 is a position, and '003' a name"):
        find_class(3, names, "folder")
    assert find_class(0, names, "folder") == 0


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (10, "data.leave_out_class: 10 is not allowed; classes are 0 to 9"),
        (-1, "data.leave_out_class: -1 is not allowed"),
        ("77", "data.leave_out_class: '77' is not known; did you mean '7'"),
    ],
)
def test_a_class_that_is_not_there_is_refused(wanted, said):
    with pytest.raises(ConfigError, match=said.replace("?", r"\?")):
        DataModule(leave_out_class=wanted).setup("fit")


@pytest.mark.parametrize(
    ("labels", "said"), [(None, "have no labels"), (np.zeros(9, np.int64), "so that none would be left")]
)
def test_what_leaves_nothing_to_train_on_is_refused(tmp_path, labels, said):
    arrays = {"x_train": np.ones((9, 4, 4), np.uint8), "x_test": np.ones((9, 4, 4), np.uint8)}
    if labels is not None:
        arrays |= {"y_train": labels, "y_test": labels}
    np.savez(tmp_path / "own.npz", **arrays)
    with pytest.raises(ConfigError, match=said):
        DataModule("npz", path=str(tmp_path / "own.npz"), leave_out_class=0).setup("fit")


def test_it_is_left_out_of_a_validation_split_that_the_source_has(tmp_path):
    arrays = {f"x_{part}": np.ones((9, 4, 4), np.uint8) for part in ("train", "val", "test")}
    np.savez(tmp_path / "own.npz", **arrays, **{name.replace("x", "y"): np.arange(9) % 3 for name in arrays})
    data = DataModule("npz", path=str(tmp_path / "own.npz"), leave_out_class=1)
    assert classes(data, "train") == classes(data, "val") == {0, 2}
    assert [len(data.split(name)) for name in ("train", "val", "test")] == [6, 6, 9]
