"""Data sets as Hugging Face's `datasets` saves them, and as Parquet files: without a network."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from ae_lightning.data.datamodule import DataModule
from ae_lightning.data.source import load_data
from ae_lightning.data.source_settings import SourceSettings
from ae_lightning.data.store.cache import DataCache
from ae_lightning.errors import ConfigError, DataError

datasets = pytest.importorskip("datasets")

CLASSES = datasets.ClassLabel(names=["dog", "cat"])


@pytest.fixture(autouse=True)
def no_hub(monkeypatch, tmp_path_factory):
    """Keep what is made of Parquet files out of the user's own folders, and wait for no network."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


def load(path, cache=None, **settings):
    return load_data("huggingface", SourceSettings(path=str(path), **settings), cache=cache)


def encoded(level, size=(6, 4), mode="L"):
    file = BytesIO()
    Image.new(mode, size, level if mode == "L" else (level, 0, 0)).save(file, "PNG")
    return {"bytes": file.getvalue(), "path": None}


def made(levels, labels=None, **image):
    columns = {"image": [encoded(level, **image) for level in levels]}
    features = {"image": datasets.Image()}
    if labels is not None:
        columns["label"], features["label"] = labels, CLASSES
    return datasets.Dataset.from_dict(columns, features=datasets.Features(features))


def levels(split):
    return split.x[:, 0, 0, 0].tolist()


@pytest.fixture
def splits():
    return datasets.DatasetDict(
        {
            "train": made([10, 11, 12, 13], [0, 1, 1, -1]),
            "validation": made([20, 21], [1, 0]),
            "test": made([30, 31, 32], [0, 0, 1]),
        }
    )


@pytest.fixture(params=["saved", "parquet"])
def stored(request, splits, tmp_path):
    path = tmp_path / "pets"
    if request.param == "saved":
        splits.save_to_disk(path)
    else:
        path.mkdir()
        for name, one in splits.items():
            one.to_parquet(path / f"{name}-00000-of-00001.parquet")
    return path


def test_what_is_on_disk_needs_no_network(stored):
    data = load(stored)
    assert [levels(split) for split in (data.train, data.val, data.test)] == [[10, 11, 12, 13], [20, 21], [30, 31, 32]]
    assert data.train.shape == (1, 4, 6)
    assert data.class_names == ("dog", "cat")
    assert data.train.labels.tolist() == [0, 1, 1, -1]
    assert data.val.labels.tolist() == [1, 0]
    assert list(data.test.keys) == ["test[0]", "test[1]", "test[2]"]
    assert data.notes == ("splits: train (train), validation (val), test (test)",)
    assert DataModule("huggingface", path=str(stored)).dataset_name == "pets"


def test_images_are_sized_as_those_of_a_folder(tmp_path):
    wide, narrow = (encoded(50, size) for size in ((8, 4), (4, 4)))
    columns = {"image": [wide, narrow, narrow], "kind": ["a", "b", "a"]}
    features = datasets.Features({"image": datasets.Image(), "kind": datasets.Value("string")})
    one = datasets.Dataset.from_dict(columns, features=features)
    datasets.DatasetDict({"train": one, "test": one}).save_to_disk(tmp_path / "x")
    data = load(tmp_path / "x", label_column="kind")
    assert data.train.shape == (1, 4, 4)
    assert (data.class_names, data.train.labels.tolist()) == (("a", "b"), [0, 1, 0])
    assert any(note.startswith("resized to 4 × 4 by crop") for note in data.notes)
    assert "no labels, as no column is of their type; data.label_column takes one of kind for them" in (
        load(tmp_path / "x", image_size=2).notes
    )


def test_one_piece_is_divided_and_names_of_splits_can_be_given(tmp_path, splits):
    made(range(20)).save_to_disk(tmp_path / "whole")
    whole = load(tmp_path / "whole")
    assert (len(whole.train), len(whole.test), whole.class_names) == (18, 2, None)
    assert "test is a tenth of train, held out" in whole.notes
    odd = datasets.DatasetDict({"first": splits["train"], "second": splits["test"]})
    odd.save_to_disk(tmp_path / "odd")
    with pytest.raises(DataError, match=r"has first, second, and nothing to train on; data.splits: \{train: NAME"):
        load(tmp_path / "odd")
    data = load(tmp_path / "odd", splits={"train": "second", "test": "first"})
    assert (levels(data.train), levels(data.test)) == ([30, 31, 32], [10, 11, 12, 13])
    with pytest.raises(ConfigError, match=r"data.splits: 'frist' is not known; did you mean 'first'\?"):
        load(tmp_path / "odd", splits={"train": "frist"})


def test_what_is_decoded_is_kept_and_other_images_are_seen(tmp_path, monkeypatch):
    path, kept = tmp_path / "x", DataCache(tmp_path / "kept")
    made(range(20)).save_to_disk(path)
    first = load(path, kept)
    with monkeypatch.context() as patched:
        patched.setattr("ae_lightning.data.image_folder.image_files.read_image", None)
        again = load(path, kept)
    assert levels(again.train) == levels(first.train)
    made(range(100, 120)).save_to_disk(tmp_path / "other")
    other = load(tmp_path / "other", kept)
    assert levels(other.train) == [level + 100 for level in levels(first.train)]


def test_a_damaged_image_is_named_and_can_be_left_out(tmp_path):
    columns = {"image": [encoded(1), {"bytes": b"no image", "path": None}, encoded(3), None]}
    one = datasets.Dataset.from_dict(columns, features=datasets.Features({"image": datasets.Image()}))
    datasets.DatasetDict({"train": one, "test": made([9])}).save_to_disk(tmp_path / "x")
    with pytest.raises(DataError, match=r"train\[1\] is corrupt, or not an image"):
        load(tmp_path / "x")
    with pytest.warns(UserWarning, match="left out: train"):
        data = load(tmp_path / "x", on_error="skip")
    assert (levels(data.train), data.num_skipped) == ([1, 3], 2)
    assert list(data.train.keys) == ["train[0]", "train[2]"]


def test_deep_images_keep_their_depth(tmp_path):
    pixels = np.arange(24, dtype=np.uint16).reshape(4, 6) * 1000
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    columns = {"image": [{"bytes": file.getvalue(), "path": None}] * 10}
    one = datasets.Dataset.from_dict(columns, features=datasets.Features({"image": datasets.Image()}))
    one.save_to_disk(tmp_path / "x")
    assert np.array_equal(load(tmp_path / "x").train.x[0, 0].numpy(), pixels)


@pytest.fixture
def ambiguous(tmp_path):
    columns = {name: [encoded(level)] * 12 for name, level in (("front", 1), ("back", 2))}
    columns |= {name: [0, 1] * 6 for name in ("kind", "breed")} | {"age": [0.5] * 12}
    features = {name: datasets.Image() for name in ("front", "back")} | dict.fromkeys(("kind", "breed"), CLASSES)
    features["age"] = datasets.Value("float64")
    datasets.Dataset.from_dict(columns, features=datasets.Features(features)).save_to_disk(tmp_path / "x")
    return tmp_path / "x"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "data.image_column must say which column holds the images: front, back"),
        ({"image_column": "front"}, "data.label_column must say which column holds the labels: kind, breed"),
        ({"image_column": "frnt"}, r"data.image_column: 'frnt' is not known; did you mean 'front'\?"),
        ({"image_column": "back", "label_column": "breeed"}, r"data.label_column: .* did you mean 'breed'\?"),
        ({"image_column": "kind", "label_column": "breed"}, r"data.image_column: .*: kind holds no images"),
        ({"image_column": "back", "label_column": "age"}, r"age has dtype float64; labels must be integers or words"),
    ],
)
def test_columns_that_cannot_be_told_are_refused(ambiguous, settings, message):
    with pytest.raises((ConfigError, DataError), match=message):
        load(ambiguous, **settings)


def test_columns_can_be_named(ambiguous):
    data = load(ambiguous, image_column="back", label_column="breed")
    assert set(levels(data.train)) == {2}
    assert data.class_names == ("dog", "cat")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trust_remote_code": True}, "trust_remote_code is not allowed: code that comes with data is not run"),
        ({"revison": "main"}, r"data.dataset_options: 'revison' is not known; did you mean 'revision'\?"),
        ({"name": "small"}, "was saved to disk, and takes none"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(ambiguous, options, message):
    with pytest.raises(ConfigError, match=message):
        load(ambiguous, dataset_options=options)


def test_files_can_be_chosen(tmp_path, splits):
    for name, one in splits.items():
        one.to_parquet(tmp_path / f"{name}.parquet")
    chosen = {"train": "test.parquet", "test": "train.parquet"}
    data = load(tmp_path, dataset_options={"data_files": chosen})
    assert (levels(data.train), levels(data.test)) == ([30, 31, 32], [10, 11, 12, 13])


def test_what_is_neither_on_disk_nor_reached_is_a_data_error(capsys):
    with pytest.raises(
        DataError, match=r"data.path: nobody/nothing is no folder, and not loaded from the hub: "
    ) as caught:
        load("nobody/nothing")
    assert "\n" not in str(caught.value)
    assert "asking Hugging Face's hub for nobody/nothing" in capsys.readouterr().err


@pytest.mark.parametrize("path", ["/none/such", "~/none", "a/b/c", "pandas", "parquet"])
def test_what_can_be_no_name_on_the_hub_is_not_asked_for(path):
    with pytest.raises(DataError, match=r"there is no such folder, and no data set of the hub is called so"):
        load(path)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"needs the package datasets: pip install 'ae_lightning\[huggingface\]'"):
        load("x")
