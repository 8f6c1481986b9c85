import pytest
import torch

from ae_lightning.data.data_line import data_line
from ae_lightning.data.holding_out import TrainValDivider, hold_out, hold_out_test
from ae_lightning.data.sample_keys import keys_of_files
from ae_lightning.data.splits import DataSet, Split
from ae_lightning.errors import ConfigError, DataError


def images(num: int = 4, channels: int = 1) -> torch.Tensor:
    return torch.arange(num * channels * 4, dtype=torch.uint8).view(num, channels, 2, 2)


def test_select_keeps_images_and_labels_together():
    split = Split(images(), torch.tensor([3, 2, 1, 0]), keys=keys_of_files(["a", "b", "c", "d"]))
    selected = split.select(torch.tensor([2, 0]))
    assert len(selected) == 2
    assert torch.equal(selected.x, images()[[2, 0]])
    assert selected.labels is not None
    assert selected.labels.tolist() == [1, 3]
    assert selected.keys is not None
    assert list(selected.keys) == ["c", "a"]


def test_keys_of_other_samples_are_refused():
    with pytest.raises(DataError, match="3 keys for 4 samples"):
        Split(images(), keys=keys_of_files(["a", "b", "c"]))


def test_select_of_an_unlabelled_split_is_unlabelled():
    assert Split(images()).select(torch.tensor([1])).labels is None


@pytest.mark.parametrize(
    ("pixels", "labels", "words"),
    [
        (images().double(), None, "uint8, uint16 or float32"),
        (images()[0, 0, 0], None, r"2 to 4 axes"),
        (images()[:0], None, "no samples"),
        (images().transpose(2, 3), None, "contiguous"),
        (images(), torch.zeros(3, dtype=torch.int64), "3 labels for 4 samples"),
        (images(), torch.zeros(4), "int64"),
        (images(), torch.tensor([0, 1, -2, 0]), "there is -2"),
    ],
)
def test_a_malformed_split_is_refused(pixels, labels, words):
    with pytest.raises(DataError, match=words):
        Split(pixels, labels)


def test_splits_of_different_shape_are_refused():
    with pytest.raises(DataError, match=r"train split has images of shape \(1, 2, 2\), the test split of \(3, 2, 2\)"):
        DataSet(Split(images()), Split(images(channels=3)))


def test_a_validation_split_is_checked_like_the_others():
    with pytest.raises(DataError, match=r"the validation split of \(3, 2, 2\)"):
        DataSet(Split(images()), Split(images()), val=Split(images(channels=3)))
    labelled = Split(images(), torch.tensor([0, 1, 0, 1]))
    with pytest.raises(DataError, match="the validation split needs labels and class names"):
        DataSet(labelled, labelled, ("a", "b"), val=Split(images()))


def test_labels_without_class_names_are_refused():
    labelled = Split(images(), torch.tensor([0, 1, 0, 1]))
    with pytest.raises(DataError, match="class names"):
        DataSet(labelled, labelled)


def test_a_label_without_a_class_is_refused():
    labelled = Split(images(), torch.tensor([0, 1, 2, 1]))
    with pytest.raises(DataError, match="label 2"):
        DataSet(labelled, labelled, ("a", "b"))


def test_hold_out_is_disjoint_complete_and_fixed_by_its_seed():
    kept, held_out = hold_out(100, 30, seed=3)
    assert len(held_out) == 30
    assert sorted([*kept.tolist(), *held_out.tolist()]) == list(range(100))
    assert torch.equal(hold_out(100, 30, seed=3)[1], held_out)
    assert not torch.equal(hold_out(100, 30, seed=4)[1], held_out)


def test_a_single_image_cannot_be_divided():
    with pytest.raises(DataError, match="one sample"):
        hold_out_test(Split(images(1)), 0.1, seed=0)


def divider(leave_out_class=None, num_val=None):
    return TrainValDivider("own", leave_out_class, num_val, max_default_val=5, split_seed=0)


def test_a_validation_split_of_the_source_takes_nothing_from_train():
    labels, val_labels = torch.tensor([0, 1, 2, 1]), torch.tensor([1, -1, 0])
    whole = divider().divide(labels, ("a", "b", "c"), val_labels)
    assert (whole.train.tolist(), whole.val.tolist()) == ([0, 1, 2, 3], [0, 1, 2])
    part = divider(leave_out_class="b").divide(labels, ("a", "b", "c"), val_labels)
    assert (part.novel_class, part.train.tolist(), part.val.tolist()) == (1, [0, 2], [2])


@pytest.mark.parametrize("num_val", [0, 2])
def test_num_val_is_refused_beside_a_validation_split_of_the_source(num_val):
    said = rf"data\.num_val {num_val}: own has a validation split of its own, of 3 samples"
    with pytest.raises(ConfigError, match=said):
        divider(num_val=num_val).divide(torch.zeros(4), None, torch.zeros(3))


def test_the_line_on_the_data_is_one_line_whatever_their_names():
    line = data_line("pets", (3, 8, 9), {"train": 1200, "test": 30}, ("cat\n", "dog", "\x1b[31mred", "emu"), ("a, b",))
    assert line == "pets: 3 × 8 × 9; 1,200 train, 30 test; 4 classes (cat\\n, dog, \\x1b[31mred, …); a, b"
    assert data_line("x", (5,), {"train": 2}, None, ()) == "x: 5; 2 train; no labels"
    assert data_line("x", (5,), {"train": 2}, ("a",), ()) == "x: 5; 2 train; 1 class (a)"
